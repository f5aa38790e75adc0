import type { Mapping } from './mapping.ts'

/**
 * The mappings of a domain, ascending by IOVA and never overlapping.
 *
 * Adding at the end, as an allocator that counts upwards does, is cheap; so is finding one among many.
 */
export class MappingTable implements Iterable<Mapping> {
  readonly #sorted: Mapping[] = []

  get size(): number {
    return this.#sorted.length
  }

  [Symbol.iterator](): IterableIterator<Mapping> {
    return this.#sorted.values()
  }

  /** The first mapping that overlaps the inclusive range, if any does. */
  overlapping(start: bigint, last: bigint): Mapping | undefined {
    const candidate = this.#sorted[this.#firstReaching(start)]
    return candidate !== undefined && candidate.iova <= last ? candidate : undefined
  }

  /** All mappings that overlap the inclusive range, ascending. */
  allOverlapping(start: bigint, last: bigint): Mapping[] {
    const found: Mapping[] = []
    for (let index = this.#firstReaching(start); index < this.#sorted.length; index += 1) {
      const mapping = this.#sorted[index]!
      if (mapping.iova > last) break
      found.push(mapping)
    }
    return found
  }

  /** Adds a mapping that overlaps none. */
  add(mapping: Mapping): void {
    this.#sorted.splice(this.#firstReaching(mapping.iova), 0, mapping)
  }

  /** Removes a mapping; does nothing when it is not there. */
  remove(mapping: Mapping): void {
    const index = this.#firstReaching(mapping.iova)
    if (this.#sorted[index] === mapping) this.#sorted.splice(index, 1)
  }

  /** Index of the first mapping that ends at the address or behind it. */
  #firstReaching(address: bigint): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sorted[middle]!.last < address) low = middle + 1
      else high = middle
    }
    return low
  }
}
