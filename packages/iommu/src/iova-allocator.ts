import { type InclusiveRange, OpenbarError } from '@openbar/linux'
import { formatIova } from './iova.ts'
import { END_OF_SPACE, PAGE, type Span, toInclusive } from './span.ts'
import { SpanList } from './span-list.ts'

/** Where a new range may lie. Addresses and sizes in bytes. */
export interface Placement {
  /** Bytes; a multiple of the page size. */
  readonly size: number
  /** A power of two that the first address is a multiple of. */
  readonly align: number
  /** The address behind the last that the range may cover; for devices that drive fewer address lines than 64. */
  readonly limit?: number
}

interface MutableSpan {
  start: number
  end: number
}

/** Addresses below this are left to those who ask for them: a zero or small IOVA in a descriptor is most often a bug. */
const FIRST_IOVA = 0x100_0000

/**
 * Picks free I/O virtual addresses, lowest first, from the ranges that the IOMMU translates.
 *
 * It keeps the free spans, ascending and never touching each other, so that its cost depends on how fragmented the space is
 * and not on how much is mapped. It keeps none before it is asked for the first: a program that chooses all of its addresses
 * does not pay for it.
 *
 * @example
 * ```ts
 * const allocator = new IovaAllocator([{ start: 0, end: 2 ** 39 }], [])
 * const iova = allocator.place({ size: 4096, align: 4096 })
 * allocator.reserve(iova, iova + 4096)
 * allocator.release(iova, iova + 4096)
 * ```
 */
export class IovaAllocator {
  #usable: readonly Span[]
  readonly #inUse: Iterable<Span>
  /** What is free; `undefined` until somebody asks. */
  #free: SpanList<MutableSpan> | undefined

  /** @param inUse - The ranges in use, wherever they lie: a live list, looked at when it is needed. */
  constructor(usable: readonly Span[], inUse: Iterable<Span>) {
    this.#usable = usable
    this.#inUse = inUse
  }

  /** What is free of the usable ranges, ascending. */
  get free(): readonly Span[] {
    return Array.from(this.#spans(), ({ start, end }) => ({ start, end }))
  }

  /** Takes new usable ranges, as after a device joined or left. What is in use stays so. */
  setUsable(usable: readonly Span[]): void {
    this.#usable = usable
    this.#free = undefined
  }

  /**
   * The lowest free address for a range, which is not taken by this: see {@link IovaAllocator.reserve}.
   *
   * @throws {@link OpenbarError} `ERR_IOVA_EXHAUSTED`.
   */
  place({ size, align, limit = END_OF_SPACE }: Placement): number {
    for (const { start, end } of this.#spans().from(FIRST_IOVA)) {
      const iova = Math.ceil(Math.max(start, FIRST_IOVA) / align) * align
      if (iova + size > limit) break
      if (iova + size <= end) return iova
    }
    throw exhaustedError({ size, align, limit }, this.free.map(toInclusive))
  }

  /** Takes a range out of what is free, whether it was placed here or chosen by the caller. */
  reserve(start: number, end: number): void {
    if (this.#free !== undefined) takeOut(this.#free, start, end)
  }

  /** Gives a range back, as far as it lies in the usable ranges, and joins it with its free neighbours. */
  release(start: number, end: number): void {
    if (this.#free === undefined) return
    for (const usable of this.#usable) {
      const from = Math.max(start, usable.start)
      const to = Math.min(end, usable.end)
      if (from < to) join(this.#free, from, to, usable)
    }
  }

  #spans(): SpanList<MutableSpan> {
    if (this.#free !== undefined) return this.#free
    const free = new SpanList<MutableSpan>()
    for (const { start, end } of this.#usable) free.add({ start, end })
    for (const { start, end } of this.#inUse) takeOut(free, start, end)
    this.#free = free
    return free
  }
}

function takeOut(spans: SpanList<MutableSpan>, start: number, end: number): void {
  for (let free = spans.at(start); free !== undefined && free.start < end; free = spans.at(start)) {
    const behind = free.end
    if (free.start < start) {
      free.end = start
      if (behind > end) spans.add({ start: end, end: behind })
    } else if (behind > end) {
      free.start = end
    } else {
      spans.delete(free)
    }
  }
}

/** Neighbours are joined only inside one usable range: what crosses the edge of two is not translated as one. */
function join(spans: SpanList<MutableSpan>, start: number, end: number, within: Span): void {
  // Addresses are multiples of a page, so what ends behind the page's start before `start` ends at `start` or later.
  const before = start > within.start ? spans.at(start - PAGE) : undefined
  const after = spans.at(start)
  const joinsAfter = after !== undefined && after.start === end && end < within.end
  if (before !== undefined && before.end === start) {
    if (joinsAfter) spans.delete(after)
    before.end = joinsAfter ? after.end : end
  } else if (joinsAfter) {
    after.start = start
  } else {
    spans.add({ start, end })
  }
}

function exhaustedError(
  { size, align, limit }: Required<Placement>,
  ranges: readonly InclusiveRange[],
): OpenbarError<'ERR_IOVA_EXHAUSTED'> {
  const upTo = limit === END_OF_SPACE ? '' : ` up to ${formatIova(BigInt(limit) - 1n)}`
  return new OpenbarError('ERR_IOVA_EXHAUSTED', {
    message: `No free range of ${size} bytes, aligned to ${align}, is left${upTo}.`,
    hint: 'Unmap something, ask for less, or choose the IOVA yourself.',
    context: { size: BigInt(size), ranges },
  })
}
