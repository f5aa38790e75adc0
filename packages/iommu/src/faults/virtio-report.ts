import type { FaultReport } from './fault-report.ts'
import { requesterAddress } from './requester-address.ts'

/** `virtio_iommu virtio0: page fault from EP 16 at 0x50000000 [W]`; what is between the brackets may be missing. */
const FAULT =
  /^virtio_iommu \S{1,64}: ((?:domain|page|unknown) fault) from EP (\d{1,10})(?: at (?:0x)?([\da-f]{1,16}) \[(R?)(W?)X?\])?$/

/**
 * Reads a report of the virtio-iommu driver.
 *
 * The endpoint's number is taken for a PCI segment in the upper and a requester id in the lower 16 bits, as QEMU's firmware
 * tables have it. The driver reports each access of the device by itself, and QEMU splits a DMA into accesses of 4 bytes.
 *
 * @see Linux drivers/iommu/virtio-iommu.c: viommu_fault_handler; drivers/acpi/viot.c: viot_pci_dev_iommu_init
 *
 * @example
 * ```ts
 * parseVirtioReport('virtio_iommu virtio0: page fault from EP 16 at 0x50000000 [W]')
 * ```
 */
export function parseVirtioReport(message: string): FaultReport | undefined {
  const [, reason, endpoint, address, read, write] = FAULT.exec(message) ?? []
  const id = Number(endpoint)
  if (reason === undefined || id > 0xffff_ffff) return undefined
  return {
    kind: 'fault',
    iommu: 'virtio',
    device: requesterAddress(id >>> 16, id & 0xffff),
    iova: address === undefined ? undefined : BigInt(`0x${address}`),
    access: accessOf(read === 'R', write === 'W'),
    reason,
    code: undefined,
  }
}

function accessOf(read: boolean, write: boolean): 'read' | 'write' | undefined {
  if (read === write) return undefined
  return read ? 'read' : 'write'
}
