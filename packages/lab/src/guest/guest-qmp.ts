import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../lab-error.ts'
import {
  closedError,
  type QmpArguments,
  type QmpClient,
  type QmpEvent,
  type QmpWaitOptions,
  waitForEvent,
} from '../qemu/qmp.ts'
import { EventQueue } from '../util/event-queue.ts'
import { LineReader } from '../util/line-reader.ts'

const portPath = '/dev/virtio-ports/openbar.qmp-relay'
const pollMs = 2
const openLimitMs = 5_000

interface RelayMessage {
  readonly id?: string
  readonly return?: unknown
  readonly error?: string
  readonly event?: string
  readonly data?: QmpEvent['data']
  readonly time?: number
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly what: string
}

/** The machine protocol, from inside the guest. Made by {@link openQmp}. */
export class GuestQmp implements QmpClient {
  readonly #fd: number
  readonly #pending = new Map<string, Pending>()
  readonly #events = new EventQueue<QmpEvent>()
  readonly #reader = new LineReader((line) => this.#receive(line))
  readonly #chunk = Buffer.alloc(65_536)
  // Answers to a program that ended before they came wait in the port for the next one: ids of another are not ours.
  readonly #session = randomBytes(6).toString('hex')
  #nextId = 1
  #watchers = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** @internal */
  constructor(fd: number) {
    this.#fd = fd
  }

  async execute(command: string, args?: QmpArguments): Promise<unknown> {
    return this.#request({ execute: command, ...(args === undefined ? {} : { arguments: args }) }, command)
  }

  events(): AsyncIterableIterator<QmpEvent> {
    const inner = this.#events.subscribe()
    const leave = this.#watch()
    return {
      [Symbol.asyncIterator]() {
        return this
      },
      next: () => inner.next(),
      return: async () => {
        leave()
        return inner.return!()
      },
    }
  }

  waitFor(event: string, options: QmpWaitOptions = {}): Promise<QmpEvent> {
    return waitForEvent(this.events(), event, options)
  }

  /** Ends every wait and lets another program open the port. Doing so twice is fine. */
  close(): void {
    if (this.#closed) return
    if (this.#watchers > 0) this.#send({ id: `${this.#session}-end`, events: false })
    this.#closed = true
    clearTimeout(this.#timer)
    for (const { reject, what } of this.#pending.values()) reject(closedError(what))
    this.#pending.clear()
    this.#events.end()
    closeSync(this.#fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Has the host send events, and returns how to end that. */
  #watch(): () => void {
    if (this.#watchers++ === 0) this.#setEvents(true)
    let left = false
    return () => {
      if (left) return
      left = true
      if (--this.#watchers === 0 && !this.#closed) this.#setEvents(false)
    }
  }

  #setEvents(events: boolean): void {
    this.#request({ events }, 'a request for events').catch(() => {})
  }

  #request(body: object, what: string): Promise<unknown> {
    if (this.#closed) return Promise.reject(closedError(what))
    const id = `${this.#session}-${this.#nextId++}`
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, what })
      this.#send({ id, ...body })
      this.#schedule()
    })
  }

  #send(message: object): void {
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
    for (let sent = 0; sent < bytes.length; ) {
      try {
        sent += writeSync(this.#fd, bytes, sent)
      } catch (error) {
        // The host takes what is in the port's few buffers at once: this is no longer than that.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      }
    }
  }

  /** The port cannot wake an event loop, and a blocking read would hold one of Node's few threads: so it is looked at. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#closed || (this.#pending.size === 0 && this.#watchers === 0)) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#drain()
      this.#schedule()
    }, pollMs)
  }

  #drain(): void {
    for (;;) {
      let count: number
      try {
        count = readSync(this.#fd, this.#chunk)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return
        throw error
      }
      if (count === 0) return
      this.#reader.push(this.#chunk.subarray(0, count))
      if (this.#closed) return
    }
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as RelayMessage
    if (message.event !== undefined) {
      this.#events.push({ event: message.event, data: message.data ?? {}, time: message.time ?? 0 })
      return
    }
    const waiting = this.#pending.get(message.id ?? '')
    if (waiting === undefined) return
    this.#pending.delete(message.id!)
    if (message.error === undefined) waiting.resolve(message.return)
    else waiting.reject(new LabError('ERR_LAB_QMP', message.error))
  }
}

/**
 * Opens QEMU's machine protocol from inside the guest, so that a program can unplug or cut off the device that it drives.
 * One program at a time can have it open; a second one waits up to 5 seconds.
 *
 * Throws `ERR_LAB_UNSUPPORTED` outside a lab and `ERR_LAB_QMP` when the port stays taken.
 *
 * @example
 * ```ts
 * using qmp = await openQmp()
 * await qmp.execute('set_link', { name: 'nic0', up: false })
 * ```
 */
export async function openQmp(): Promise<GuestQmp> {
  const giveUp = performance.now() + openLimitMs
  for (;;) {
    try {
      return new GuestQmp(openSync(portPath, constants.O_RDWR | constants.O_NONBLOCK))
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT') {
        throw new LabError('ERR_LAB_UNSUPPORTED', `This program does not run in a lab: there is no ${portPath}`, {
          hint: 'Start it in one: openbar-lab run --nic e1000e -- node program.js',
        })
      }
      if (code !== 'EBUSY' || performance.now() > giveUp) {
        throw new LabError('ERR_LAB_QMP', `The machine protocol cannot be opened: ${(cause as Error).message}`, {
          cause,
          hint: 'One program at a time can have it open.',
        })
      }
      await sleep(50)
    }
  }
}
