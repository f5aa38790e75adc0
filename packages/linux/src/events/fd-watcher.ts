import type { Fd } from '../fd.ts'
import { type PollHandle, pollReadable } from '../ffi/libc.ts'

/**
 * Calls back in the event loop whenever a file descriptor is readable, until it is closed.
 *
 * The callback has to read until there is nothing left, for readiness is level-triggered. While a watcher is open it
 * keeps the process alive, unless {@link FdWatcher.unref} was called.
 *
 * @example
 * ```ts
 * const watcher = new FdWatcher(eventfd, () => console.log('readable'))
 * watcher.close()
 * ```
 */
export class FdWatcher {
  // Held here because polling stops without a word once the handle is collected.
  #handle: PollHandle | undefined

  constructor(fd: Fd, onReadable: () => void) {
    this.#handle = pollReadable(fd, () => {
      // An event that was queued before close() may still be delivered after it.
      if (this.#handle !== undefined) onReadable()
    })
  }

  /** Lets the process end although the watcher is open. */
  unref(): void {
    this.#handle?.unref()
  }

  /** Keeps the process alive while the watcher is open; the state at the start. */
  ref(): void {
    this.#handle?.ref()
  }

  /** Stops watching. The file descriptor stays open. Further calls do nothing. */
  close(): void {
    const handle = this.#handle
    this.#handle = undefined
    // Any call on a closed handle crashes the process, so it is given up before it is closed.
    handle?.close()
  }
}
