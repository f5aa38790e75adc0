/** What uses an object of ours, by name, so that an error can tell. */
export class Users {
  readonly #names = new Map<symbol, string>()

  /** Notes a user. Returns a function that strikes it out again. */
  add(name: string): () => void {
    const key = Symbol(name)
    this.#names.set(key, name)
    return () => {
      this.#names.delete(key)
    }
  }

  /** The users as a sentence has them, `undefined` for none. */
  describe(): string | undefined {
    return this.#names.size === 0 ? undefined : [...this.#names.values()].join(', ')
  }
}
