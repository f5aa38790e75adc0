import { type InclusiveRange, OpenbarError } from '@openbar/linux'
import { formatIova, formatRange } from './iova.ts'
import { PAGE, type Span, wholeUnits } from './span.ts'

/**
 * Refuses a range that does not lie wholly in one of those that the IOMMU translates.
 *
 * @returns The one that it lies in.
 * @throws {@link OpenbarError} `ERR_IOVA_RANGE`, listing the ranges.
 */
export function assertWithin(ranges: readonly InclusiveRange[], iova: bigint, size: bigint): Span {
  const last = iova + size - 1n
  const around = ranges.find((range) => iova >= range.start && last <= range.last)
  const span = around === undefined ? undefined : wholeUnits(around, PAGE)
  if (span !== undefined) return span
  const allowed = ranges.map(({ start, last }) => `${formatIova(start)}-${formatIova(last)}`).join(', ')
  throw new OpenbarError('ERR_IOVA_RANGE', {
    message: `${formatRange(iova, size)} lies outside what the IOMMU translates for this domain's devices: ${allowed}.`,
    hint: 'Choose an IOVA inside these ranges, or let allocate() pick one.',
    context: { iova, size, ranges },
  })
}
