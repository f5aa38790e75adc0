import type { Span } from './span.ts'

/** A chunk is cut in two when it grows beyond this: a change moves no more entries than this, however many there are. */
const CHUNK = 512

/**
 * Spans, ascending and never overlapping, in chunks: finding, adding and removing one costs about the same among ten and among
 * a hundred thousand.
 *
 * A caller may move the bounds of a span in it, as long as the order stays.
 */
export class SpanList<T extends Span> implements Iterable<T> {
  readonly #chunks: T[][] = [[]]
  #size = 0
  // Where the last search ended.
  #chunk = 0
  #index = 0

  get size(): number {
    return this.#size
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const chunk of this.#chunks) yield* chunk
  }

  /** The first span that ends behind an address, if there is one. */
  at(address: number): T | undefined {
    this.#seek(address)
    return this.#chunks[this.#chunk]![this.#index]
  }

  /** The spans that end behind an address, ascending. The list must not change meanwhile. */
  *from(address: number): IterableIterator<T> {
    this.#seek(address)
    let index = this.#index
    for (let chunk = this.#chunk; chunk < this.#chunks.length; chunk += 1, index = 0) {
      const spans = this.#chunks[chunk]!
      for (; index < spans.length; index += 1) yield spans[index]!
    }
  }

  /** Adds a span that overlaps none. */
  add(span: T): void {
    this.#seek(span.start)
    const chunk = this.#chunks[this.#chunk]!
    if (this.#index === chunk.length) chunk.push(span)
    else chunk.splice(this.#index, 0, span)
    this.#size += 1
    if (chunk.length > CHUNK) this.#chunks.splice(this.#chunk + 1, 0, chunk.splice(CHUNK / 2))
  }

  /** Removes a span; does nothing when that very one is not there. */
  delete(span: T): void {
    if (this.at(span.start) !== span) return
    const chunk = this.#chunks[this.#chunk]!
    if (this.#index === chunk.length - 1) chunk.pop()
    else chunk.splice(this.#index, 1)
    this.#size -= 1
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(this.#chunk, 1)
  }

  /** Finds the first span that ends behind an address: in the chunk that reaches behind it, or else at the end of the last. */
  #seek(address: number): void {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = this.#chunks[middle]!
      if (chunk[chunk.length - 1]!.end <= address) low = middle + 1
      else high = middle
    }
    this.#chunk = low
    const chunk = this.#chunks[low]!
    low = 0
    high = chunk.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (chunk[middle]!.end <= address) low = middle + 1
      else high = middle
    }
    this.#index = low
  }
}
