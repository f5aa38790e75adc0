import { fstatSync } from 'node:fs'
import { invalidArgument } from '../errors/invalid-argument.ts'
import type { Fd } from '../fd.ts'
import { type PollHandle, pollReadable } from '../ffi/libc.ts'
import { fileError } from '../sysfs/file-error.ts'

/** The file descriptors under watch in this thread. */
const watched = new Set<number>()

/**
 * Calls back in the event loop whenever a file descriptor is readable, until it is closed.
 *
 * The callback has to read until there is nothing left, for readiness is level-triggered. What it throws is an uncaught
 * exception of the process. While a watcher is open it keeps the process alive, unless {@link FdWatcher.unref} was
 * called. Close the watcher before its file descriptor.
 *
 * @see epoll(7)
 *
 * @example
 * ```ts
 * const watcher = new FdWatcher(eventfd, () => console.log('readable'))
 * watcher.close()
 * ```
 */
export class FdWatcher {
  readonly #fd: Fd
  // Held here because polling stops without a word once the handle is collected.
  #handle: PollHandle | undefined

  /**
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a file that cannot be waited for, or one that is watched
   *   already; `ERR_SYSCALL` for a descriptor that is not open (EBADF).
   */
  constructor(fd: Fd, onReadable: () => void) {
    assertPollable(fd)
    this.#fd = fd
    this.#handle = pollReadable(fd, () => {
      // An event that was queued before close() may still be delivered after it.
      if (this.#handle === undefined) return
      try {
        onReadable()
      } catch (error) {
        // Thrown through the native caller it would come out of whatever FFI call is made next.
        process.nextTick(() => {
          throw error
        })
      }
    })
    watched.add(fd)
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
    if (handle === undefined) return
    // Any call on a closed handle crashes the process, so it is given up before it is closed.
    this.#handle = undefined
    watched.delete(this.#fd)
    handle.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Each of these, let through, aborts the process inside the poll. */
function assertPollable(fd: Fd): void {
  if (watched.has(fd)) throw invalidArgument('fd', fd, 'a file descriptor that no other watcher watches')
  let pollable: boolean
  try {
    const stat = fstatSync(fd)
    pollable = !stat.isFile() && !stat.isDirectory()
  } catch (error) {
    throw fileError('fstat', `file descriptor ${fd}`, error)
  }
  if (!pollable)
    throw invalidArgument('fd', fd, 'a file descriptor that can be waited for, not one of a file on a disk')
}
