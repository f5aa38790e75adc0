import {
  addressOf,
  Errno,
  type Fd,
  type InclusiveRange,
  IOMMU_IOAS_IOVA_RANGES,
  iommuIoasIovaRanges,
  syscallError,
  tryIoctl,
} from '@openbar/linux'

/** What an address space can hold now; each device that comes or goes changes it. */
export interface IoasLimits {
  readonly ranges: readonly InclusiveRange[]
  /** Bytes that each mapping is a multiple of. */
  readonly alignment: number
}

/**
 * Asks an I/O address space for its ranges and alignment.
 *
 * @see linux/iommufd.h, `struct iommu_ioas_iova_ranges`
 */
export function readIoasLimits(iommufd: Fd<'iommufd'>, ioas: number): IoasLimits {
  // Asked twice: the kernel says EMSGSIZE and the number of ranges when there are more than fit.
  for (let capacity = 64; ; ) {
    const list = new BigUint64Array(capacity * 2)
    const query = iommuIoasIovaRanges.allocate()
    query.size = iommuIoasIovaRanges.size
    query.ioas_id = ioas
    query.num_iovas = capacity
    query.allowed_iovas = addressOf(list)
    const result = tryIoctl(iommufd, IOMMU_IOAS_IOVA_RANGES, query)
    if (result === -Errno.EMSGSIZE && query.num_iovas > capacity) {
      capacity = query.num_iovas
      continue
    }
    if (result < 0) throw syscallError('ioctl(IOMMU_IOAS_IOVA_RANGES)', -result, '/dev/iommu')
    return {
      alignment: Number(query.out_iova_alignment),
      ranges: Array.from({ length: query.num_iovas }, (_, index) => ({
        start: list[index * 2] ?? 0n,
        last: list[index * 2 + 1] ?? 0n,
      })),
    }
  }
}
