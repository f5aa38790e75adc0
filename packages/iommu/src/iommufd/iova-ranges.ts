import {
  addressOf,
  Errno,
  type InclusiveRange,
  IOMMU_IOAS_IOVA_RANGES,
  iommuIoasIovaRanges,
  syscallError,
  tryIoctl,
} from '@openbar/linux'
import type { IommufdAddressSpace } from './address-space.ts'

/** Where an address space can be mapped. */
export interface IovaRanges {
  /** The ranges that all its devices can reach, ascending. */
  readonly ranges: readonly InclusiveRange[]
  /** Bytes that each mapping's start and size are multiples of; 1 before the first device or page table. */
  readonly alignment: bigint
}

/**
 * Reads where an address space can be mapped now. Each device that joins or leaves changes it.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL`.
 * @see linux/iommufd.h, `struct iommu_ioas_iova_ranges`
 *
 * @example
 * ```ts
 * const { ranges, alignment } = iovaRanges(space)
 * ```
 */
export function iovaRanges(space: IommufdAddressSpace): IovaRanges {
  for (let capacity = 64; ; ) {
    const list = new BigUint64Array(capacity * 2)
    const query = iommuIoasIovaRanges.allocate()
    query.size = iommuIoasIovaRanges.size
    query.ioas_id = space.ioas
    query.num_iovas = capacity
    query.allowed_iovas = addressOf(list)
    const result = tryIoctl(space.fd, IOMMU_IOAS_IOVA_RANGES, query)
    // More than fit: the kernel says how many there are, and is asked again.
    if (result === -Errno.EMSGSIZE && query.num_iovas > capacity) {
      capacity = query.num_iovas
      continue
    }
    if (result < 0) throw syscallError('ioctl(IOMMU_IOAS_IOVA_RANGES)', -result, `address space ${space.ioas}`)
    const ranges = Array.from({ length: query.num_iovas }, (_, index) => ({
      start: list[index * 2] ?? 0n,
      last: list[index * 2 + 1] ?? 0n,
    }))
    return { ranges, alignment: query.out_iova_alignment }
  }
}
