import type { FaultReport } from './fault-report.ts'
import { requesterAddress } from './requester-address.ts'

/** `DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1000 [fault reason 0x06] PTE Read access is not set` */
const FAULT =
  /^DMAR: \[DMA (Read|Write)(?: NO_PASID| PASID 0x[\da-f]{1,8})?\] Request device \[(?:0x)?([\da-f]{2}):(?:0x)?([01][\da-f])\.([0-7])\](?: PASID [\da-f]{1,8})? fault addr (?:0x)?([\da-f]{1,16}) \[fault reason (0x[\da-f]{2}|\d{2,3})\] (.{1,200})$/

const STATUS = /^DMAR: DRHD: handling fault status reg ([\da-f]{1,8})$/
/** Primary Fault Overflow of the Fault Status Register (VT-d specification, 11.4.8.1). */
const OVERFLOW = 1

/**
 * Reads a report of Intel's IOMMU driver.
 *
 * Kernels before 5.14 print addresses without `0x` and the reason in decimal; some of them name the PASID after the device.
 *
 * @see Linux drivers/iommu/intel/dmar.c: dmar_fault, dmar_fault_do_one
 *
 * @example
 * ```ts
 * parseIntelReport('DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x50000000 [fault reason 0x05] PTE Write access is not set')
 * ```
 */
export function parseIntelReport(message: string): FaultReport | undefined {
  const [, access, bus = '', slot = '', fn, address, code, reason = ''] = FAULT.exec(message) ?? []
  if (access !== undefined) {
    const id = (Number.parseInt(bus, 16) << 8) | (Number.parseInt(slot, 16) << 3) | Number(fn)
    return {
      kind: 'fault',
      iommu: 'intel',
      device: requesterAddress(0, id),
      iova: BigInt(`0x${address}`),
      access: access === 'Read' ? 'read' : 'write',
      reason,
      code: Number(code),
    }
  }
  const [, status] = STATUS.exec(message) ?? []
  if (status === undefined || (Number.parseInt(status, 16) & OVERFLOW) === 0) return undefined
  return { kind: 'lost', cause: 'iommu-overflow', count: undefined }
}
