import { Errno } from '../errors/errno.ts'
import { invalidArgument } from '../errors/invalid-argument.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'
import { closeFd, type Fd } from '../fd.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { waitUntil } from '../wait-until.ts'
import { incoming, outgoing } from './message-header.ts'
import { newSocket, newSocketPair } from './new-socket.ts'
import { type PeerCredentials, peerCredentials } from './peer-credentials.ts'
import { socketAddress } from './socket-address.ts'
import { connectError } from './socket-errors.ts'
import { assertEnds, type SocketWaitOptions, waitReadable } from './wait-readable.ts'

const MSG_TRUNC = 0x20
const MSG_CTRUNC = 0x08
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x4000_0000
/** The kernel's SCM_MAX_FD. */
const MAX_FDS = 253
const MAX_BYTES = 64 * 1024

/** How long a socket that has its name may take to be listened at. */
const STARTING_MS = 1000

/** A message that was received. Its file descriptors belong to the receiver, who closes them. */
export interface SocketMessage {
  readonly bytes: Uint8Array
  /** Close-on-exec, in the order in which they were sent. */
  readonly fds: readonly Fd[]
}

/** How to receive a message. */
export interface ReceiveOptions extends SocketWaitOptions {
  /** How many file descriptors may come with it; none by default, at most 253. */
  readonly maxFds?: number
}

/**
 * One end of a connection between two processes of a machine, over which whole messages go, and open files with them.
 *
 * @see unix(7): SOCK_SEQPACKET, SCM_RIGHTS
 *
 * @example
 * ```ts
 * using socket = await MessageSocket.connect('/run/driver.sock', { timeout: 1000 })
 * await socket.send(new TextEncoder().encode('a file for you'), { fds: [fd], timeout: 1000 })
 * ```
 */
export class MessageSocket {
  /** The process at the other end, as it was when it began to listen, or connected. */
  readonly peer: PeerCredentials
  /** The socket itself: to leave it to a child process, say. It belongs to this object: do not close it. */
  readonly fd: Fd<'socket'>
  readonly #closing = new AbortController()

  private constructor(fd: Fd<'socket'>) {
    this.fd = fd
    this.peer = peerCredentials(fd)
  }

  /**
   * Connects to a socket that another process listens on.
   *
   * @throws {@link OpenbarError} `ERR_PERMISSION`; `ERR_SYSCALL` when nobody listens there (ENOENT, ECONNREFUSED);
   *   `ERR_TIMEOUT` while too many others wait; `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * using socket = await MessageSocket.connect('/run/driver.sock', { timeout: 1000 })
   * ```
   */
  static async connect(path: string, options: SocketWaitOptions): Promise<MessageSocket> {
    assertEnds(options)
    const address = socketAddress(path)
    const startingUntil = performance.now() + Math.min(options.timeout ?? STARTING_MS, STARTING_MS)
    const fd = newSocket()
    try {
      await eventually(`${path} to take a connection`, options, () => {
        if (libcCalls.connect(fd, address, address.byteLength) === 0) return true
        const errno = lastErrno()
        const starting = errno === Errno.ECONNREFUSED && performance.now() < startingUntil
        if (starting || errno === Errno.EAGAIN) return false
        throw connectError(path, errno)
      })
      return new MessageSocket(fd)
    } catch (error) {
      closeFd(fd)
      throw error
    }
  }

  /**
   * Two ends that are connected to each other, both in this process.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL` when the process has no file descriptors left (EMFILE).
   *
   * @example
   * ```ts
   * const [ours, theirs] = MessageSocket.pair()
   * ```
   */
  static pair(): [MessageSocket, MessageSocket] {
    const [first, second] = newSocketPair()
    return [new MessageSocket(first), new MessageSocket(second)]
  }

  /**
   * An end that was inherited, or received. It belongs to the new object, once that is made.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL` when it is no socket.
   *
   * @example
   * ```ts
   * using socket = MessageSocket.fromFd(asFd<'socket'>(3))
   * ```
   */
  static fromFd(fd: Fd<'socket'>): MessageSocket {
    return new MessageSocket(fd)
  }

  /** Whether this end was closed. */
  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /**
   * Sends a message. File descriptors that go along stay open here too.
   *
   * @param bytes - 1 to 65,536 bytes.
   * @throws {@link OpenbarError} `ERR_SYSCALL` when the other end is closed (EPIPE) or a descriptor is not open (EBADF);
   *   `ERR_TIMEOUT` when the other end does not read; `ERR_CLOSED`, `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * await socket.send(bytes, { fds: [device], timeout: 1000 })
   * ```
   */
  async send(bytes: Uint8Array, options: SocketWaitOptions & { readonly fds?: readonly Fd[] }): Promise<void> {
    const { fds = [] } = options
    assertEnds(options)
    if (bytes.byteLength === 0 || bytes.byteLength > MAX_BYTES) {
      throw invalidArgument('bytes', bytes.byteLength, `1 to ${MAX_BYTES} bytes`)
    }
    if (fds.length > MAX_FDS) throw invalidArgument('fds', fds.length, `at most ${MAX_FDS} file descriptors`)
    // Copied: the caller may write on while this waits, and memory of the caller's may move.
    const payload = Uint8Array.from(bytes)
    await eventually('the other end of a socket to read', options, () => {
      this.#assertOpen()
      const sent = outgoing(payload, fds).pass((header) => libcCalls.sendmsg(this.fd, header, MSG_NOSIGNAL))
      if (sent === payload.byteLength) return true
      const errno = lastErrno()
      if (errno === Errno.EAGAIN) return false
      throw syscallError('sendmsg', errno, 'a Unix socket')
    })
  }

  /**
   * Receives a message. One receiver can wait at a time.
   *
   * @returns `undefined` when the other end was closed.
   * @throws {@link OpenbarError} `ERR_TIMEOUT`, or the signal's reason; `ERR_SYSCALL` (EMSGSIZE) for a message that is larger
   *   than 65,536 bytes or brings more file descriptors than wanted: what came is closed then; `ERR_CLOSED` when this end is
   *   closed meanwhile; `ERR_INVALID_ARGUMENT`, also while another receiver waits.
   *
   * @example
   * ```ts
   * const message = await socket.receive({ maxFds: 2, timeout: 1000 })
   * ```
   */
  async receive(options: ReceiveOptions): Promise<SocketMessage | undefined> {
    const { maxFds = 0 } = options
    assertEnds(options)
    if (!Number.isInteger(maxFds) || maxFds < 0 || maxFds > MAX_FDS) {
      throw invalidArgument('maxFds', maxFds, `a whole number from 0 to ${MAX_FDS}`)
    }
    return this.#receive(options, maxFds)
  }

  /** Closes this end; the other end sees that. Further calls do nothing. */
  close(): void {
    if (this.closed) return
    // Whoever waits lets go of the descriptor first.
    this.#closing.abort(closedError())
    closeFd(this.fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #receive(options: SocketWaitOptions, maxFds: number): Promise<SocketMessage | undefined> {
    const payload = new Uint8Array(MAX_BYTES)
    for (;;) {
      this.#assertOpen()
      options.signal?.throwIfAborted()
      const message = incoming(payload, maxFds)
      const length = message.pass((header) => libcCalls.recvmsg(this.fd, header, MSG_CMSG_CLOEXEC))
      const errno = length === -1 ? lastErrno() : 0
      if (length === 0 || errno === Errno.ECONNRESET) return undefined
      if (length > 0) return complete(payload.slice(0, length), message.flags, message.fds(), maxFds)
      if (errno !== Errno.EAGAIN) throw syscallError('recvmsg', errno, 'a Unix socket')
      await waitReadable(this.fd, options, 'a message', this.#closing.signal)
    }
  }

  #assertOpen(): void {
    if (this.closed) throw closedError()
  }
}

/** A message of which all has come; when something is missing, what has come is closed. */
function complete(bytes: Uint8Array, flags: number, fds: readonly Fd[], maxFds: number): SocketMessage {
  if ((flags & (MSG_TRUNC | MSG_CTRUNC)) === 0 && fds.length <= maxFds) return { bytes, fds }
  for (const fd of fds) closeFd(fd)
  const what = (flags & MSG_TRUNC) !== 0 ? `more than ${MAX_BYTES} bytes` : `more than ${maxFds} file descriptors`
  throw syscallError('recvmsg', Errno.EMSGSIZE, `a message with ${what}`, 'It is lost; what came with it was closed.')
}

/** Tries until it works. The watch of the event loop is for reading alone, so this looks again and again. */
async function eventually(waitedFor: string, { timeout, signal }: SocketWaitOptions, attempt: () => boolean) {
  signal?.throwIfAborted()
  if (attempt()) return
  // With a signal alone that is the end; the longest time of all is none.
  await waitUntil(attempt, { timeout: timeout ?? Number.MAX_SAFE_INTEGER, waitedFor, signal })
}

function closedError(): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', { message: 'This socket was closed.', context: { what: 'socket' } })
}
