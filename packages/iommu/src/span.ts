import type { InclusiveRange } from '@openbar/linux'

/**
 * A range of IOVAs: its first byte, and the one behind its last.
 *
 * Both are multiples of a page, so that a double holds them exactly up to 2^64: no arithmetic with bigints, each of which is an
 * object of its own, is needed on the way to the kernel.
 */
export interface Span {
  readonly start: number
  readonly end: number
}

/** The bytes that one page has. */
export const PAGE = 4096

/** The address behind the last that there can be. */
export const END_OF_SPACE = 2 ** 64

/** What of a range consists of whole units; `undefined` when nothing does. */
export function wholeUnits({ start, last }: InclusiveRange, unit = PAGE): Span | undefined {
  const size = BigInt(unit)
  const from = (start + size - 1n) / size
  const to = (last + 1n) / size
  return from < to ? { start: Number(from * size), end: Number(to * size) } : undefined
}

/** The same as the kernel and its users have it: inclusive at both ends. */
export function toInclusive({ start, end }: Span): InclusiveRange {
  return { start: BigInt(start), last: BigInt(end) - 1n }
}
