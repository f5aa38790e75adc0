import type { FaultReport } from './fault-report.ts'

/**
 * `AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:02.0 domain=0x0001 address=0x1000 flags=0x0020]`, or, of a device
 * that the kernel knows, `vfio-pci 0000:00:02.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0001 ...]`.
 */
const FAULT =
  /^(?:\S{1,64} ([\da-f]{4,8}:[\da-f]{2}:[01][\da-f]\.[0-7]): )?AMD-Vi: Event logged \[(IO_PAGE_FAULT|ILLEGAL_DEV_TABLE_ENTRY|DEV_TAB_HARDWARE_ERROR|PAGE_TAB_HARDWARE_ERROR|INVALID_DEVICE_REQUEST)(?: device=([\da-f]{4,8}:)?([\da-f]{2}:[01][\da-f]\.[0-7]))?(?: (?:domain|pasid)=0x[\da-f]{1,8})? address=0x([\da-f]{1,16}) flags=0x([\da-f]{1,8})\]$/

/** What kernels before and from 6.6 on say when the event log was full. */
const OVERFLOW = /^AMD-Vi: IOMMU (?:event log overflow|Event log restarting)$/

// Flags of an event (AMD I/O Virtualization Technology Specification, 2.5.3: IO_PAGE_FAULT), from bit 48 on.
const INTERRUPT = 0x008
const WRITE = 0x020
const TRANSLATION = 0x100

/**
 * Reads a report of AMD's IOMMU driver: page faults, and the tables' errors that stop a DMA too.
 *
 * @see Linux drivers/iommu/amd/iommu.c: amd_iommu_report_page_fault, iommu_print_event
 *
 * @example
 * ```ts
 * parseAmdReport('AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:02.0 domain=0x0001 address=0x1000 flags=0x0020]')
 * ```
 */
export function parseAmdReport(message: string): FaultReport | undefined {
  if (OVERFLOW.test(message)) return { kind: 'lost', cause: 'iommu-overflow', count: undefined }
  const [, printedFor, reason, segment = '0000:', device, address, flags] = FAULT.exec(message) ?? []
  // The IOMMU's own address stands before an event that names the device, and the device's before one that does not.
  const culprit = device === undefined ? printedFor : `${segment}${device}`
  if (culprit === undefined || reason === undefined) return undefined
  const code = Number(`0x${flags}`)
  // An interrupt that was refused is no DMA.
  if ((code & INTERRUPT) !== 0) return undefined
  return {
    kind: 'fault',
    iommu: 'amd',
    device: culprit,
    iova: BigInt(`0x${address}`),
    access: reason === 'IO_PAGE_FAULT' ? accessOf(code) : undefined,
    reason,
    code,
  }
}

function accessOf(flags: number): 'read' | 'write' | undefined {
  if ((flags & TRANSLATION) !== 0) return undefined
  return (flags & WRITE) !== 0 ? 'write' : 'read'
}
