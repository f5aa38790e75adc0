import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { Errno } from '../errors/errno.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'
import { closeFd, type Fd } from '../fd.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { ownFd } from '../own-fd.ts'
import { fileError } from '../sysfs/file-error.ts'
import { MessageSocket } from './message-socket.ts'
import { newSocket, SOCK_CLOEXEC, SOCK_NONBLOCK } from './new-socket.ts'
import { socketAddress } from './socket-address.ts'
import { bindError } from './socket-errors.ts'
import { assertEnds, type SocketWaitOptions, waitReadable } from './wait-readable.ts'

const BACKLOG = 16

/**
 * A Unix socket with a name in the file system, to which other processes connect.
 *
 * @see unix(7), SOCK_SEQPACKET
 *
 * @example
 * ```ts
 * using listener = MessageListener.listen('/run/driver.sock')
 * using socket = await listener.accept({ timeout: 10_000 })
 * console.log(socket.peer.uid)
 * ```
 */
export class MessageListener {
  /** Where it listens. */
  readonly path: string
  readonly #fd: Fd<'socket'>
  readonly #inode: number
  readonly #closing = new AbortController()

  private constructor(path: string, fd: Fd<'socket'>, inode: number) {
    this.path = path
    this.#fd = fd
    this.#inode = inode
  }

  /**
   * Listens at a path that nothing has yet.
   *
   * @param options.mode - Who may connect, as of a file: write permission is what counts. Its own user alone (0o600) by default.
   * @throws {@link OpenbarError} `ERR_PERMISSION`; `ERR_SYSCALL`, when something is there already (EADDRINUSE);
   *   `ERR_INVALID_ARGUMENT` for a path that is too long.
   *
   * @example
   * ```ts
   * using listener = MessageListener.listen('/run/driver.sock', { mode: 0o660 })
   * ```
   */
  static listen(path: string, options: { readonly mode?: number } = {}): MessageListener {
    const { mode = 0o600 } = options
    const address = socketAddress(path)
    using failed = new DisposableStack()
    const fd = failed.adopt(newSocket(), closeFd)
    if (libcCalls.bind(fd, address, address.byteLength) === -1) throw bindError(path, lastErrno())
    failed.defer(() => unlinkSync(path))
    try {
      // Before anybody can connect, which takes a listener.
      chmodSync(path, mode)
      const listener = new MessageListener(path, fd, lstatSync(path).ino)
      if (libcCalls.listen(fd, BACKLOG) === -1) throw syscallError('listen', lastErrno(), path)
      failed.move()
      return listener
    } catch (error) {
      throw error instanceof OpenbarError ? error : fileError('chmod', path, error)
    }
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /**
   * Waits for the next process that connects. One can wait at a time.
   *
   * @throws {@link OpenbarError} `ERR_TIMEOUT`, or the signal's reason; `ERR_CLOSED`; `ERR_SYSCALL` without file descriptors
   *   left (EMFILE); `ERR_INVALID_ARGUMENT`, also while another one waits.
   *
   * @example
   * ```ts
   * using socket = await listener.accept({ timeout: 10_000 })
   * ```
   */
  async accept(options: SocketWaitOptions): Promise<MessageSocket> {
    assertEnds(options)
    return this.#accept(options)
  }

  /** Stops listening and removes the path. Connections stay. Further calls do nothing. */
  close(): void {
    if (this.closed) return
    this.#closing.abort(closedError())
    closeFd(this.#fd)
    // Somebody else may have put another there.
    if (lstatSync(this.path, { throwIfNoEntry: false })?.ino === this.#inode) unlinkSync(this.path)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #accept(options: SocketWaitOptions): Promise<MessageSocket> {
    for (;;) {
      this.#assertOpen()
      options.signal?.throwIfAborted()
      const fd = libcCalls.accept4(this.#fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK)
      if (fd !== -1) return MessageSocket.fromFd(ownFd(fd))
      const errno = lastErrno()
      if (errno !== Errno.EAGAIN) throw syscallError('accept4', errno, this.path)
      await waitReadable(this.#fd, options, `a process that connects to ${this.path}`, this.#closing.signal)
    }
  }

  #assertOpen(): void {
    if (this.closed) throw closedError()
  }
}

function closedError(): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', { message: 'This listener was closed.', context: { what: 'listener' } })
}
