import type { Span } from './span.ts'

/** How many spans a chunk holds: no change moves more than these, however many there are in all. */
const CAPACITY = 128

/**
 * Some neighbouring spans. The array keeps its length, for growing and shrinking one costs more than all the rest, and has
 * `undefined` behind the last span: also when it is full.
 */
interface Chunk<T> {
  readonly spans: (T | undefined)[]
  length: number
}

/**
 * Spans, ascending and never overlapping, in chunks: finding, adding and removing one costs about the same among ten and among
 * a hundred thousand, and makes no garbage.
 *
 * A caller may move the bounds of a span in it, as long as the order stays.
 */
export class SpanList<T extends Span> implements Iterable<T> {
  readonly #chunks: Chunk<T>[] = [emptyChunk()]
  // Where the last search ended.
  #chunk = 0
  #index = 0

  get size(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0)
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.from(0)
  }

  /** The first span that ends behind an address, if there is one. */
  at(address: number): T | undefined {
    const { spans } = this.#seek(address)
    const before = this.#index > 0 ? spans[this.#index - 1] : undefined
    if (before !== undefined && before.end > address) return before
    return spans[this.#index] ?? this.#chunks[this.#chunk + 1]?.spans[0]
  }

  /** The spans that end behind an address, ascending. The list must not change meanwhile. */
  *from(address: number): IterableIterator<T> {
    const { spans } = this.#seek(address)
    let index = this.#index
    if (index > 0 && spans[index - 1]!.end > address) index -= 1
    for (let number = this.#chunk; number < this.#chunks.length; number += 1, index = 0) {
      const chunk = this.#chunks[number]!
      for (; index < chunk.length; index += 1) yield chunk.spans[index]!
    }
  }

  /**
   * Adds a span where it overlaps none.
   *
   * @returns The first span that it overlaps, which keeps it out; `undefined` when it was added.
   */
  add(span: T): T | undefined {
    const { start } = span
    const chunk = this.#seek(start)
    const { spans, length } = chunk
    const index = this.#index
    if (index > 0) {
      const before = spans[index - 1]!
      if (before.end > start) return before
    }
    // The spans of the next chunk begin behind the end of this one, so what follows the last of this one is looked up there.
    const next = index < length ? spans[index] : this.#chunks[this.#chunk + 1]?.spans[0]
    if (next !== undefined && next.start < span.end) return next
    if (length === CAPACITY) {
      this.#split(chunk)
      return this.add(span)
    }
    for (let at = length; at > index; at -= 1) spans[at] = spans[at - 1]
    spans[index] = span
    chunk.length = length + 1
    return undefined
  }

  /**
   * Removes a span; does nothing when that very one is not there.
   *
   * @returns Whether it was there.
   */
  delete(span: T): boolean {
    const chunk = this.#seek(span.start)
    const { spans } = chunk
    if (spans[this.#index] !== span) return false
    const length = chunk.length - 1
    chunk.length = length
    for (let at = this.#index; at < length; at += 1) spans[at] = spans[at + 1]
    spans[length] = undefined
    if (length === 0 && this.#chunks.length > 1) this.#chunks.splice(this.#chunk, 1)
    return true
  }

  /** Moves the second half of a full chunk to a new one behind it. */
  #split(chunk: Chunk<T>): void {
    const second = emptyChunk<T>()
    const half = CAPACITY / 2
    for (let index = half; index < CAPACITY; index += 1) {
      second.spans[index - half] = chunk.spans[index]
      chunk.spans[index] = undefined
    }
    chunk.length = half
    second.length = half
    this.#chunks.splice(this.#chunk + 1, 0, second)
  }

  /** Finds the first span that starts at an address or behind it: in the last chunk that starts before, or at that chunk's end. */
  #seek(address: number): Chunk<T> {
    const chunks = this.#chunks
    let low = 0
    let high = chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (chunks[middle]!.spans[0]!.start <= address) low = middle
      else high = middle - 1
    }
    this.#chunk = low
    const chunk = chunks[low]!
    const { spans } = chunk
    low = 0
    high = chunk.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (spans[middle]!.start < address) low = middle + 1
      else high = middle
    }
    this.#index = low
    return chunk
  }
}

function emptyChunk<T>(): Chunk<T> {
  return { spans: new Array<T | undefined>(CAPACITY + 1).fill(undefined), length: 0 }
}
