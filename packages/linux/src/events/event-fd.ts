import { Errno } from '../errors/errno.ts'
import { invalidArgument } from '../errors/invalid-argument.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'
import { closeFd, type Fd } from '../fd.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { fixedMemory } from '../memory/fixed-memory.ts'
import { ownFd } from '../own-fd.ts'

const EFD_CLOEXEC = 0x80000
const EFD_NONBLOCK = 0x800

const COUNTER_BYTES = 8
/** Where every counter of this thread is read to: a fixed address costs least, and each is taken before the next is read. */
const { bytes, address } = fixedMemory(COUNTER_BYTES)
const counter = new Uint32Array(bytes.buffer, bytes.byteOffset, 2)

/**
 * An event counter of the kernel, by which VFIO delivers interrupts.
 *
 * @see eventfd(2)
 *
 * @example
 * ```ts
 * using event = new EventFd()
 * event.signal()
 * event.take() // 1
 * ```
 */
export class EventFd {
  readonly fd: Fd<'eventfd'>
  #closed = false

  /** @throws {@link OpenbarError} `ERR_SYSCALL` when the process has no file descriptors left (EMFILE). */
  constructor() {
    const fd = libcCalls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
    if (fd === -1) throw syscallError('eventfd', lastErrno(), 'a new event counter')
    this.fd = ownFd(fd)
  }

  /**
   * Takes what was counted since the last call and sets the counter to zero. Never waits.
   *
   * @returns The number of events; 0 for none.
   * @throws {@link OpenbarError} `ERR_CLOSED`, `ERR_SYSCALL`.
   */
  take(): number {
    this.#assertOpen()
    if (libcCalls.readAt(this.fd, address, COUNTER_BYTES) === COUNTER_BYTES) return counter[0]! + counter[1]! * 2 ** 32
    const errno = lastErrno()
    if (errno === Errno.EAGAIN) return 0
    throw syscallError('read', errno, `eventfd ${this.fd}`)
  }

  /**
   * Adds to the counter, as an interrupt does.
   *
   * @param count - How many events; a positive integer.
   * @throws {@link OpenbarError} `ERR_CLOSED`, `ERR_INVALID_ARGUMENT`; `ERR_SYSCALL` when the counter would overflow.
   */
  signal(count = 1): void {
    this.#assertOpen()
    if (!Number.isSafeInteger(count) || count <= 0) throw invalidArgument('count', count, 'a positive integer')
    const value = BigUint64Array.of(BigInt(count))
    if (libcCalls.write(this.fd, value, COUNTER_BYTES) !== COUNTER_BYTES)
      throw syscallError('write', lastErrno(), `eventfd ${this.fd}`)
  }

  /** Closes the file descriptor. Further calls do nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeFd(this.fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new OpenbarError('ERR_CLOSED', { message: 'This event counter was closed.', context: { what: 'eventfd' } })
  }
}
