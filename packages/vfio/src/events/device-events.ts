import { type Fd, OpenbarError, VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX } from '@openbar/linux'
import type { DeviceEvent } from './device-event.ts'
import { SignalLine } from './signal-line.ts'
import { Subscribers, type Subscription } from './subscribers.ts'

/** How long a program has to answer a request or an error, before its device is closed. */
const PATIENCE_MS = 10_000

/** What is waiting for an answer. */
interface Pending {
  readonly event: DeviceEvent
  readonly deadline: number
  readonly timer: NodeJS.Timeout
  /** Nobody has been told yet. */
  unheard: boolean
}

/** What the events ask of their device. */
export interface EventOwner {
  readonly address: string
  /** The program had its time: closes the device, with the reason that its later calls throw. */
  overdue(reason: string): void
}

/**
 * The kernel's messages about a device, ERR and REQ, as events; and the end of a device whose program does not answer them.
 */
export class DeviceEvents {
  readonly #owner: EventOwner
  readonly #subscribers = new Subscribers<DeviceEvent>()
  readonly #request: SignalLine
  readonly #error: SignalLine
  readonly #pending = new Map<DeviceEvent['type'], Pending>()

  constructor(owner: EventOwner) {
    this.#owner = owner
    this.#request = new SignalLine(VFIO_PCI_REQ_IRQ_INDEX, () => this.#signalled('release-request'))
    this.#error = new SignalLine(VFIO_PCI_ERR_IRQ_INDEX, () => this.#signalled('error'))
  }

  /** Whether the kernel has asked for the device back. */
  get releaseRequested(): boolean {
    return this.#pending.has('release-request')
  }

  /** Begins to listen, on a device that has come into a domain. */
  arm(fd: Fd<'device'>): void {
    try {
      this.#request.arm(fd)
      this.#error.arm(fd)
    } catch (error) {
      this.disarm()
      throw error
    }
  }

  /** Ends listening, on a device that leaves its domain: a request is answered by that. */
  disarm(): void {
    this.#request.disarm()
    this.#error.disarm()
    this.#settle('release-request')
    this.#settle('error')
  }

  /** Says that the device was reset, which answers an error. */
  wasReset(): void {
    this.#settle('error')
  }

  /** Looks for messages and overdue answers, without the event loop. */
  poll(): void {
    this.#request.look()
    this.#error.look()
    for (const { deadline, event } of [...this.#pending.values()]) {
      if (performance.now() >= deadline) this.#overdue(event)
    }
  }

  /** Adds a listener, who is told at once what nobody has heard yet. */
  subscribe(
    callback: (event: DeviceEvent) => void,
    onEnd: (reason: OpenbarError) => void,
    keeper: object,
  ): Subscription {
    const subscription = this.#subscribers.add(callback, onEnd, keeper)
    queueMicrotask(() => this.#tellUnheard())
    return subscription
  }

  /** The device was closed. */
  end(): void {
    const { address } = this.#owner
    this.#subscribers.end(
      new OpenbarError('ERR_CLOSED', { message: `${address} was closed.`, context: { what: address } }),
    )
  }

  #signalled(type: DeviceEvent['type']): void {
    // The kernel repeats a request every ten seconds; the time runs from the first.
    if (this.#pending.has(type)) return
    const event = this.#event(type)
    const deadline = performance.now() + PATIENCE_MS
    const timer = setTimeout(() => this.#overdue(event), PATIENCE_MS)
    // A program that ends lets go of the device as well.
    timer.unref()
    this.#pending.set(type, { event, deadline, timer, unheard: true })
    this.#tellUnheard()
  }

  #event(type: DeviceEvent['type']): DeviceEvent {
    const timeLeft = PATIENCE_MS
    return type === 'error' ? { type, timeLeft, dismiss: () => this.#settle('error') } : { type, timeLeft }
  }

  #tellUnheard(): void {
    if (this.#subscribers.empty) return
    for (const pending of [...this.#pending.values()]) {
      if (!pending.unheard) continue
      pending.unheard = false
      const timeLeft = Math.max(0, Math.round(pending.deadline - performance.now()))
      this.#subscribers.deliver({ ...pending.event, timeLeft })
    }
  }

  #settle(type: DeviceEvent['type']): void {
    const pending = this.#pending.get(type)
    if (pending === undefined) return
    clearTimeout(pending.timer)
    this.#pending.delete(type)
  }

  #overdue({ type }: DeviceEvent): void {
    this.#settle(type)
    const seconds = PATIENCE_MS / 1000
    this.#owner.overdue(
      type === 'error'
        ? `it reported an error, and the program neither reset it nor dismissed the error within ${seconds} s`
        : `the kernel asked for it back, and the program did not close it within ${seconds} s`,
    )
  }
}
