import { type InclusiveRange, OpenbarError } from '@openbar/linux'
import { formatIova, formatRange } from './iova.ts'

/**
 * Refuses a range that does not lie wholly in one of those that the IOMMU translates.
 *
 * @throws {@link OpenbarError} `ERR_IOVA_RANGE`, listing the ranges.
 */
export function assertWithin(ranges: readonly InclusiveRange[], iova: bigint, size: bigint): void {
  const last = iova + size - 1n
  if (ranges.some((range) => iova >= range.start && last <= range.last)) return
  const allowed = ranges.map(({ start, last }) => `${formatIova(start)}-${formatIova(last)}`).join(', ')
  throw new OpenbarError('ERR_IOVA_RANGE', {
    message: `${formatRange(iova, size)} lies outside what the IOMMU translates for this domain's devices: ${allowed}.`,
    hint: 'Choose an IOVA inside these ranges, or let allocate() pick one.',
    context: { iova, size, ranges },
  })
}
