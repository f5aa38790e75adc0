/**
 * Puts readers to sleep until there is something for them.
 *
 * @example
 * ```ts
 * const wakeUp = new WakeUp()
 * setTimeout(() => wakeUp.wake(), 10)
 * await wakeUp.sleep()
 * ```
 */
export class WakeUp {
  readonly #sleepers = new Set<() => void>()

  /** Wakes all who sleep. */
  wake(): void {
    for (const resolve of this.#sleepers) resolve()
    this.#sleepers.clear()
  }

  /** Sleeps until the next {@link WakeUp.wake}, or until the signal aborts. */
  async sleep(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#sleepers.add(resolve)
    const abort = () => resolve()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      this.#sleepers.delete(resolve)
      signal?.removeEventListener('abort', abort)
    }
  }
}
