import type { Socket } from 'node:net'
import { LabError } from '../lab-error.ts'
import { EventQueue } from '../util/event-queue.ts'
import { LineReader } from '../util/line-reader.ts'

/** Something that QEMU tells by itself, such as `DEVICE_DELETED`. */
export interface QmpEvent {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
  /** In milliseconds since 1970, by the host's clock. */
  readonly time: number
}

/** Arguments of a QMP command, as QEMU's reference names them. */
export type QmpArguments = Readonly<Record<string, unknown>>

/** What both ends of the QEMU Machine Protocol have in common: the host's, and the one inside the guest. */
export interface QmpClient {
  /**
   * Runs a command, such as `set_link`, `device_add`, `device_del` or `query-pci`, and returns what QEMU answers.
   *
   * Throws `ERR_LAB_QMP` when QEMU refuses, `ERR_LAB_CLOSED` when the machine is gone.
   */
  execute(command: string, args?: QmpArguments): Promise<unknown>
  /** Events from now on, until the loop is left or the machine is gone. */
  events(): AsyncIterableIterator<QmpEvent>
  /**
   * Waits for an event that comes from now on.
   *
   * Throws `ERR_LAB_TIMEOUT` when none came in time. Default 10 seconds.
   */
  waitFor(event: string, options?: QmpWaitOptions): Promise<QmpEvent>
}

export interface QmpWaitOptions {
  /** In milliseconds. Default 10 000. */
  readonly timeoutMs?: number
  /** Only an event for which this holds. */
  readonly where?: (data: QmpEvent['data']) => boolean
}

interface QmpMessage {
  readonly QMP?: unknown
  readonly id?: number
  readonly return?: unknown
  readonly error?: { readonly class: string; readonly desc: string }
  readonly event?: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly timestamp?: { readonly seconds: number; readonly microseconds: number }
}

/**
 * The machine protocol of a running lab.
 *
 * @example
 * ```ts
 * await lab.qmp.execute('set_link', { name: 'nic0', up: false })
 * const gone = lab.qmp.waitFor('DEVICE_DELETED', { where: (data) => data.device === 'nic0' })
 * await lab.qmp.execute('device_del', { id: 'nic0' })
 * await gone
 * ```
 */
export class Qmp implements QmpClient {
  readonly #socket: Socket
  readonly #pending = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; what: string }
  >()
  readonly #events = new EventQueue<QmpEvent>()
  #nextId = 1
  #closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    const reader = new LineReader((line) => this.#receive(JSON.parse(line) as QmpMessage))
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => this.close())
  }

  /** @internal Takes over a connection from QEMU and leaves its negotiation mode. */
  static async open(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket)
    await qmp.execute('qmp_capabilities')
    return qmp
  }

  execute(command: string, args?: QmpArguments): Promise<unknown> {
    if (this.#closed) return Promise.reject(closedError(command))
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, what: command })
      this.#socket.write(
        `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }), id })}\n`,
      )
    })
  }

  events(): AsyncIterableIterator<QmpEvent> {
    return this.#events.subscribe()
  }

  waitFor(event: string, options: QmpWaitOptions = {}): Promise<QmpEvent> {
    return waitForEvent(this.events(), event, options)
  }

  /** @internal */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    return this.#events.listen(listener)
  }

  /** @internal Ends every wait. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const { reject, what } of this.#pending.values()) reject(closedError(what))
    this.#pending.clear()
    this.#events.end()
    this.#socket.destroy()
  }

  #receive(message: QmpMessage): void {
    if (message.event !== undefined) {
      const { seconds = 0, microseconds = 0 } = message.timestamp ?? {}
      this.#events.push({ event: message.event, data: message.data ?? {}, time: seconds * 1000 + microseconds / 1000 })
      return
    }
    const waiting = message.id === undefined ? undefined : this.#pending.get(message.id)
    if (waiting === undefined) return
    this.#pending.delete(message.id!)
    if (message.error === undefined) waiting.resolve(message.return)
    else waiting.reject(refusedError(waiting.what, message.error.desc))
  }
}

/** @internal */
export function refusedError(command: string, reason: string): LabError {
  return new LabError('ERR_LAB_QMP', `QEMU refused ${command}: ${reason}`, {
    hint: 'Commands and their arguments are in the QEMU QMP Reference Manual; lab.devices has the ids of devices.',
  })
}

/** @internal */
export function closedError(command: string): LabError {
  return new LabError('ERR_LAB_CLOSED', `The machine ended before it answered ${command}`)
}

/** @internal */
export async function waitForEvent(
  events: AsyncIterableIterator<QmpEvent>,
  name: string,
  { timeoutMs = 10_000, where = () => true }: QmpWaitOptions,
): Promise<QmpEvent> {
  let late = false
  const timer = setTimeout(() => {
    late = true
    void events.return?.()
  }, timeoutMs)
  try {
    for await (const event of events) if (event.event === name && where(event.data)) return event
  } finally {
    clearTimeout(timer)
  }
  if (late) throw new LabError('ERR_LAB_TIMEOUT', `No event ${name} came from QEMU within ${timeoutMs} ms`)
  throw closedError(`the wait for ${name}`)
}
