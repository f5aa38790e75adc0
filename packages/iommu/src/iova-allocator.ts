import { type InclusiveRange, OpenbarError } from '@openbar/linux'
import { formatIova, MAX_IOVA } from './iova.ts'

/** Where a new range may lie. Addresses and sizes in bytes. */
export interface PlacementOptions {
  /** Bytes; a multiple of the page size. */
  readonly size: bigint
  /** A power of two that the first address is a multiple of. */
  readonly align: bigint
  /** The last address that the range may cover; for devices that drive fewer address lines than 64. */
  readonly maxIova?: bigint | undefined
}

/** Addresses below this are left to those who ask for them: a zero or small IOVA in a descriptor is most often a bug. */
const FIRST_IOVA = 0x100_0000n

/**
 * Picks free I/O virtual addresses, lowest first, from the ranges that the IOMMU translates.
 *
 * It keeps the free intervals, ascending and never touching each other, so that its cost depends on how fragmented the
 * space is and not on how much is mapped.
 *
 * @example
 * ```ts
 * const allocator = new IovaAllocator([{ start: 0n, last: 0x7f_ffff_ffffn }])
 * const iova = allocator.place({ size: 4096n, align: 4096n })
 * allocator.reserve(iova, 4096n)
 * allocator.release(iova, 4096n)
 * ```
 */
export class IovaAllocator {
  #usable: readonly InclusiveRange[]
  #free: InclusiveRange[]

  constructor(usable: readonly InclusiveRange[]) {
    this.#usable = usable
    this.#free = [...usable]
  }

  /** The ranges that addresses are picked from. */
  get usable(): readonly InclusiveRange[] {
    return this.#usable
  }

  /** What is free of them, ascending. */
  get free(): readonly InclusiveRange[] {
    return this.#free
  }

  /**
   * Takes new usable ranges, as after a device joined or left, keeping what is in use.
   *
   * @param inUse - The ranges in use, wherever they lie.
   */
  setUsable(usable: readonly InclusiveRange[], inUse: Iterable<InclusiveRange>): void {
    this.#usable = usable
    this.#free = [...usable]
    for (const { start, last } of inUse) this.#remove(start, last)
  }

  /**
   * The lowest free address for a range, which is not taken by this: see {@link IovaAllocator.reserve}.
   *
   * @throws {@link OpenbarError} `ERR_IOVA_EXHAUSTED`.
   */
  place({ size, align, maxIova = MAX_IOVA }: PlacementOptions): bigint {
    for (const { start, last } of this.#free) {
      const from = start < FIRST_IOVA ? FIRST_IOVA : start
      const iova = (from + align - 1n) & ~(align - 1n)
      const end = iova + size - 1n
      if (end <= last && end <= maxIova) return iova
    }
    const limit = maxIova === MAX_IOVA ? '' : ` up to ${formatIova(maxIova)}`
    throw new OpenbarError('ERR_IOVA_EXHAUSTED', {
      message: `No free range of ${size} bytes, aligned to ${align}, is left${limit}.`,
      hint: 'Unmap something, ask for less, or choose the IOVA yourself.',
      context: { size, ranges: [...this.#free] },
    })
  }

  /** Takes a range out of what is free, whether it was placed here or chosen by the caller. */
  reserve(iova: bigint, size: bigint): void {
    this.#remove(iova, iova + size - 1n)
  }

  /** Gives a range back, as far as it lies in the usable ranges, and joins it with its free neighbours. */
  release(iova: bigint, size: bigint): void {
    const last = iova + size - 1n
    for (const range of this.#usable) {
      const from = iova > range.start ? iova : range.start
      const to = last < range.last ? last : range.last
      if (from <= to) this.#add(from, to, range)
    }
  }

  #remove(start: bigint, last: bigint): void {
    let index = this.#firstReaching(start)
    while (index < this.#free.length) {
      const interval = this.#free[index]!
      if (interval.start > last) return
      const rest: InclusiveRange[] = []
      if (interval.start < start) rest.push({ start: interval.start, last: start - 1n })
      if (interval.last > last) rest.push({ start: last + 1n, last: interval.last })
      this.#free.splice(index, 1, ...rest)
      index += rest.length
    }
  }

  #add(start: bigint, last: bigint, within: InclusiveRange): void {
    // Neighbours are joined only inside one usable range: beyond its edge the IOMMU does not translate.
    let from = start
    let to = last
    const index = this.#firstReaching(start === within.start ? start : start - 1n)
    let joined = 0
    for (; index + joined < this.#free.length; joined += 1) {
      const interval = this.#free[index + joined]!
      if (interval.start > to + 1n || interval.start > within.last) break
      if (interval.start < from) from = interval.start
      if (interval.last > to) to = interval.last
    }
    this.#free.splice(index, joined, { start: from, last: to })
  }

  /** Index of the first free interval that ends at the address or behind it. */
  #firstReaching(address: bigint): number {
    let low = 0
    let high = this.#free.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#free[middle]!.last < address) low = middle + 1
      else high = middle
    }
    return low
  }
}
