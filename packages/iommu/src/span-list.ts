import type { Span } from './span.ts'

/** How many spans a chunk holds: no change moves more than these, however many there are in all. */
const CAPACITY = 128

/**
 * Some neighbouring spans. The array keeps its length, for growing and shrinking one costs more than all the rest, and has
 * `undefined` behind the last span: also behind one more than there should be, which is there until the chunk is split.
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
  /** Where the last search ended. */
  #chunk = this.#chunks[0]!
  /** Whether there is more than one chunk. */
  #many = false

  get size(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0)
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.from(0)
  }

  /** The first span that ends behind an address, if there is one. */
  at(address: number): T | undefined {
    const index = this.#seekEnd(address)
    return this.#chunk.spans[index]
  }

  /** The spans that end behind an address, ascending. The list must not change meanwhile. */
  *from(address: number): IterableIterator<T> {
    let index = this.#seekEnd(address)
    for (let number = this.#chunks.indexOf(this.#chunk); number < this.#chunks.length; number += 1, index = 0) {
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
    const index = this.#seek(span.start)
    const chunk = this.#chunk
    const { spans, length } = chunk
    if (index > 0 && spans[index - 1]!.end > span.start) return spans[index - 1]
    const next = spans[index]
    if (next !== undefined) {
      if (next.start < span.end) return next
      moveUp(spans, index, length)
    }
    spans[index] = span
    chunk.length = length + 1
    if (length === CAPACITY) this.#split(chunk)
    return undefined
  }

  /**
   * Removes a span; does nothing when that very one is not there.
   *
   * @returns Whether it was there.
   */
  delete(span: T): boolean {
    const index = this.#seek(span.start)
    const chunk = this.#chunk
    const { spans } = chunk
    if (spans[index] !== span) return false
    const length = chunk.length - 1
    chunk.length = length
    if (index === length) spans[index] = undefined
    else moveDown(spans, index, length)
    if (length === 0 && this.#many) this.#drop(chunk)
    return true
  }

  /** Moves the second half of a chunk that holds more than it should to a new one behind it. */
  #split(chunk: Chunk<T>): void {
    const second = emptyChunk<T>()
    const half = chunk.length >>> 1
    for (let index = half; index < chunk.length; index += 1) {
      second.spans[index - half] = chunk.spans[index]
      chunk.spans[index] = undefined
    }
    second.length = chunk.length - half
    chunk.length = half
    this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, second)
    this.#many = true
  }

  #drop(chunk: Chunk<T>): void {
    this.#chunks.splice(this.#chunks.indexOf(chunk), 1)
    this.#chunk = this.#chunks[0]!
    this.#many = this.#chunks.length > 1
  }

  /** Finds the first span that ends behind an address: its chunk, and its index there, or the one behind the last of all. */
  #seekEnd(address: number): number {
    const index = this.#seek(address)
    return index > 0 && this.#chunk.spans[index - 1]!.end > address ? index - 1 : index
  }

  /**
   * Finds the first span that starts at an address or behind it: its index in the chunk that reaches behind the address, where the
   * span before it is the only other one that may do so.
   */
  #seek(address: number): number {
    if (this.#many) this.#chunk = this.#chunkOf(address)
    const { spans, length } = this.#chunk
    let low = 0
    let high = length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (spans[middle]!.start < address) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first chunk that reaches behind an address, or else the last. */
  #chunkOf(address: number): Chunk<T> {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const { spans, length } = this.#chunks[middle]!
      if (spans[length - 1]!.end <= address) low = middle + 1
      else high = middle
    }
    return this.#chunks[low]!
  }
}

function emptyChunk<T>(): Chunk<T> {
  return { spans: new Array<T | undefined>(CAPACITY + 2).fill(undefined), length: 0 }
}

// Functions of their own: where a span comes and goes at the end, V8 has less to compile into its caller.

/** Makes room for a span. */
function moveUp<T>(spans: (T | undefined)[], index: number, length: number): void {
  for (let at = length; at > index; at -= 1) spans[at] = spans[at - 1]
}

/** Fills the place of a span that was removed. */
function moveDown<T>(spans: (T | undefined)[], index: number, length: number): void {
  for (let at = index; at <= length; at += 1) spans[at] = spans[at + 1]
}
