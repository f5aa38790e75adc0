/** Hands every event to all who subscribed before it came. Each has a queue of its own, so a slow one misses nothing. */
export class EventQueue<T> {
  readonly #listeners = new Set<(event: T) => void>()
  readonly #onEnd = new Set<() => void>()
  #ended = false

  push(event: T): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  /** Calls back for each event until the returned function is called. */
  listen(listener: (event: T) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Ends every loop over the events, now and later. */
  end(): void {
    this.#ended = true
    for (const end of [...this.#onEnd]) end()
  }

  /** The events from this call on. */
  subscribe(): AsyncIterableIterator<T> {
    const queue: T[] = []
    let wake: (() => void) | undefined
    let done = this.#ended
    const stopListening = this.listen((event) => {
      queue.push(event)
      wake?.()
    })
    const end = () => {
      done = true
      stopListening()
      this.#onEnd.delete(end)
      wake?.()
    }
    this.#onEnd.add(end)
    return {
      [Symbol.asyncIterator]() {
        return this
      },
      async next() {
        while (queue.length === 0 && !done) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          wake = undefined
        }
        return queue.length > 0 ? { value: queue.shift()!, done: false } : { value: undefined, done: true }
      },
      async return() {
        end()
        return { value: undefined, done: true }
      },
    }
  }
}
