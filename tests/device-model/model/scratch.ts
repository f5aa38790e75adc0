/** Words that keep what was written to them, and what is known of them. */
export class Scratch {
  readonly #known = new Map<number, number>()
  #fresh: number | undefined

  /** @param fresh - What all words hold at first; `undefined` when that is not known. */
  constructor(fresh?: number) {
    this.#fresh = fresh
  }

  write(word: number, value: number): void {
    this.#known.set(word, value >>> 0)
  }

  /** It was written in a width of which the device makes what it likes. */
  forget(word: number): void {
    this.#known.delete(word)
  }

  forgetAll(): void {
    this.#known.clear()
    this.#fresh = undefined
  }

  /** What a read has to give. What it gives where that is not known is held against later reads. */
  check(word: number, value: number): number {
    const due = this.#known.get(word) ?? this.#fresh ?? value
    this.#known.set(word, value)
    return due
  }
}
