import { type Fd, OpenbarError } from '@openbar/linux'
import { DeviceSignal } from '../interrupts/device-signal.ts'
import type { DeviceEvent } from './device-event.ts'
import { Subscribers, type Subscription } from './subscribers.ts'

/** How long a program has to answer a request or an error, before its device is closed. */
const PATIENCE_MS = 10_000

/** What is waiting for an answer. */
interface Pending {
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
  #signals: readonly DeviceSignal[] = []
  readonly #pending = new Map<DeviceEvent['type'], Pending>()

  constructor(owner: EventOwner) {
    this.#owner = owner
  }

  /** Whether the kernel has asked for the device back. */
  get releaseRequested(): boolean {
    return this.#pending.has('release-request')
  }

  /** Begins to listen, on a device that has come into a domain. */
  arm(fd: Fd<'device'>): void {
    const { address } = this.#owner
    using arming = new DisposableStack()
    const signals = [
      arming.use(DeviceSignal.arm(fd, address, 'req', () => this.#signalled('release-request'))),
      arming.use(DeviceSignal.arm(fd, address, 'err', () => this.#signalled('error'))),
    ]
    arming.move()
    this.#signals = signals.filter((signal) => signal !== undefined)
  }

  /** Ends listening, on a device that leaves its domain: a request is answered by that. */
  disarm(): void {
    using steps = new DisposableStack()
    steps.defer(() => {
      this.#settle('release-request')
      this.#settle('error')
    })
    for (const signal of this.#signals) steps.use(signal)
    this.#signals = []
  }

  /** Says that the device was reset, which answers an error. */
  wasReset(): void {
    this.#settle('error')
  }

  /** Looks for messages and overdue answers, without the event loop. */
  poll(): void {
    for (const signal of this.#signals) signal.poll()
    for (const [type, { deadline }] of [...this.#pending]) {
      if (performance.now() >= deadline) this.#overdue(type)
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
    const deadline = performance.now() + PATIENCE_MS
    const timer = setTimeout(() => this.#overdue(type), PATIENCE_MS)
    // A program that ends lets go of the device as well.
    timer.unref()
    this.#pending.set(type, { deadline, timer, unheard: true })
    this.#tellUnheard()
  }

  #event(type: DeviceEvent['type'], deadline: number): DeviceEvent {
    const timeLeft = Math.max(0, Math.round(deadline - performance.now()))
    return type === 'error' ? { type, timeLeft, dismiss: () => this.#settle('error') } : { type, timeLeft }
  }

  #tellUnheard(): void {
    if (this.#subscribers.empty) return
    for (const [type, pending] of [...this.#pending]) {
      if (!pending.unheard) continue
      pending.unheard = false
      this.#subscribers.deliver(this.#event(type, pending.deadline))
    }
  }

  #settle(type: DeviceEvent['type']): void {
    const pending = this.#pending.get(type)
    if (pending === undefined) return
    clearTimeout(pending.timer)
    this.#pending.delete(type)
  }

  #overdue(type: DeviceEvent['type']): void {
    this.#settle(type)
    const seconds = PATIENCE_MS / 1000
    this.#owner.overdue(
      type === 'error'
        ? `it reported an error, and the program neither reset it nor dismissed the error within ${seconds} s`
        : `the kernel asked for it back, and the program did not close it within ${seconds} s`,
    )
  }
}
