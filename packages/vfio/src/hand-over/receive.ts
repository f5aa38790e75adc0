import { closeFd, MessageListener, type MessageSocket, OpenbarError, type PeerCredentials } from '@openbar/linux'
import { parseDescription } from './description.ts'
import { type TakenOver, takeOver } from './take-over.ts'

/** How to receive a device from another program. */
export interface ReceiveDeviceOptions {
  /** Longest wait for the other program in milliseconds. */
  readonly timeout?: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal
  /** The user that the other program has to run as; root, 0, by default. */
  readonly from?: number
  /** Who may connect, as of a file: see `MessageListener.listen`. Its own user and root by default. */
  readonly mode?: number
}

/**
 * Receives a device: over a connection, or from the first program that connects to a path.
 *
 * @throws {@link OpenbarError} `ERR_PERMISSION` when the other program runs as another user than it has to; `ERR_TIMEOUT`;
 *   `ERR_CLOSED` when it closes the connection without a device; `ERR_INVALID_ARGUMENT`, `ERR_NOT_SUPPORTED`.
 */
export async function receiveDevice(from: string | MessageSocket, options: ReceiveDeviceOptions): Promise<TakenOver> {
  using socket = typeof from === 'string' ? await acceptAt(from, options) : undefined
  const connection = socket ?? (from as MessageSocket)
  assertUser(connection.peer, options.from ?? 0)
  const message = await connection.receive({ ...options, maxFds: 3 })
  if (message === undefined) throw nothingCameError()
  const [device, space, leash, ...more] = message.fds
  if (device === undefined || space === undefined || leash === undefined || more.length > 0) {
    for (const fd of message.fds) closeFd(fd)
    throw nothingCameError()
  }
  let description: ReturnType<typeof parseDescription>
  try {
    description = parseDescription(new TextDecoder().decode(message.bytes), 'the message')
  } catch (error) {
    for (const fd of message.fds) closeFd(fd)
    throw error
  }
  return takeOver(description, { device, space, leash })
}

async function acceptAt(path: string, options: ReceiveDeviceOptions): Promise<MessageSocket> {
  using listener = MessageListener.listen(path, options.mode === undefined ? {} : { mode: options.mode })
  return await listener.accept(options)
}

/** Refuses a program that runs as another user than it has to. */
export function assertUser({ uid, pid }: PeerCredentials, wanted: number): void {
  if (uid === wanted) return
  throw new OpenbarError('ERR_PERMISSION', {
    message: `Process ${pid} at the other end runs as user ${uid}, where user ${wanted} is due.`,
    hint: 'Connect to the right program, or say which user it runs as.',
    context: { target: `process ${pid}` },
  })
}

function nothingCameError(): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', {
    message: 'The program at the other end handed no device over.',
    hint: 'It has to call launcher.give(socket).',
    context: { what: 'connection' },
  })
}
