import { invalidArgument, OpenbarError } from '@openbar/linux'
import { assertSize, formatRange, type Iova, MAX_IOVA, toIova } from '../iova.ts'

/** A bitmap of 256 MiB, the most that a type1 container takes. */
const MOST_PAGES = 2 ** 31

/**
 * Checks a range whose written pages are asked for.
 *
 * @returns The first address.
 * @throws {@link OpenbarError} `ERR_IOVA_ALIGNMENT`, `ERR_INVALID_ARGUMENT`.
 */
export function checkDirtyRange(start: Iova, size: number, pageSize: number): bigint {
  const iova = toIova(start)
  assertSize(size)
  if (!Number.isSafeInteger(pageSize) || pageSize <= 0 || !Number.isInteger(Math.log2(pageSize))) {
    throw invalidArgument('pageSize', pageSize, 'a power of two in bytes')
  }
  if (iova % BigInt(pageSize) !== 0n || size % pageSize !== 0) {
    throw new OpenbarError('ERR_IOVA_ALIGNMENT', {
      message: `${formatRange(iova, BigInt(size))} is not made of whole pages of ${pageSize} bytes.`,
      hint: `Make the address and the size multiples of ${pageSize}.`,
      context: { iova, size: BigInt(size), alignment: BigInt(pageSize) },
    })
  }
  if (iova + BigInt(size) - 1n > MAX_IOVA) throw invalidArgument('size', size, 'no more than there is up to 2^64')
  if (size / pageSize >= MOST_PAGES) {
    throw invalidArgument(
      'size',
      size,
      `less than ${MOST_PAGES} pages of ${pageSize} bytes: read larger ranges in parts`,
    )
  }
  return iova
}

/** The error for a read while dirty tracking is off, where the kernel would answer that nothing was written. */
export function trackingOffError(what: string): OpenbarError<'ERR_DOMAIN_STATE'> {
  return new OpenbarError('ERR_DOMAIN_STATE', {
    message: `What devices have written cannot be told: dirty tracking of ${what} is off.`,
    hint: 'Start it before devices write.',
    context: { state: 'dirty tracking is off' },
  })
}
