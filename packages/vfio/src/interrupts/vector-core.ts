import { EventFd, type Fd, FdWatcher, OpenbarError } from '@openbar/linux'
import { callOutside } from '../events/call-outside.ts'

/** Who is told of a vector's interrupts. While one is registered, so is all that it holds. */
export interface VectorListener {
  readonly onInterrupts: (count: number) => void
  /** Interrupts were switched off. Not called from within that. */
  readonly onEnd: (reason: OpenbarError) => void
  /** What stays in use while this listens: the device as the program holds it. */
  readonly keeper: object
}

/** What a vector can ask of its device. Each throws an `OpenbarError` when the kernel refuses. */
export interface VectorControl {
  /** The vector as messages name it: `0000:00:02.0, MSI-X vector 1`. */
  readonly what: string
  /** Whether it is INTx, which the kernel masks at each delivery. */
  readonly intx: boolean
  mask(): void
  unmask(): void
  trigger(): void
  /** Ties the vector to its eventfd, or to none. */
  arm(event: Fd<'eventfd'> | undefined): void
  /** Why no interrupt can come, with what to do about it; `undefined` when nothing stands in the way here. */
  silentBecause(): string | undefined
}

/**
 * What there is of a vector whoever holds it: its eventfd, and who listens. It reaches nothing that a program holds, but through
 * the listeners.
 */
export class VectorCore {
  readonly number: number
  readonly control: VectorControl
  readonly #event = new EventFd()
  readonly #listeners = new Set<VectorListener>()
  #watcher: FdWatcher | undefined
  #closedBecause: string | undefined
  #masked = false
  #parked = false
  /** How much of the eventfd's count is not the kernel's doing for an interrupt: it has masked nothing for that. */
  #ownSignals = 0

  constructor(number: number, control: VectorControl) {
    this.number = number
    this.control = control
  }

  /** @throws {@link OpenbarError} `ERR_CLOSED`. */
  get fd(): Fd<'eventfd'> {
    this.assertOpen()
    return this.#event.fd
  }

  get heard(): boolean {
    return this.#listeners.size > 0
  }

  get parked(): boolean {
    return this.#parked
  }

  /** Whether the kernel holds INTx back, as far as deliveries are told here. */
  get masked(): boolean {
    // A delivery that nobody has taken yet has masked it, too.
    if (this.control.intx && this.#closedBecause === undefined) this.putBack(this.take())
    return this.#masked
  }

  /**
   * Adds a listener; the answer takes it away again.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`; `ERR_INVALID_ARGUMENT` when the program watches the eventfd by itself.
   */
  listen(listener: VectorListener): () => void {
    this.assertOpen()
    this.#watcher ??= new FdWatcher(this.#event.fd, () => this.deliver())
    this.#listeners.add(listener)
    let held: VectorListener | undefined = listener
    return () => {
      const left = held
      // Who keeps the answer after that keeps nothing else.
      held = undefined
      if (left === undefined || !this.#listeners.delete(left) || this.#listeners.size > 0) return
      this.#watcher?.close()
      this.#watcher = undefined
    }
  }

  /** Tells those who listen of what came since the last time. */
  deliver(): void {
    const count = this.take()
    if (count === 0) return
    if (this.#listeners.size === 1) {
      const [only] = this.#listeners
      callOutside(only!.onInterrupts, count)
      return
    }
    for (const listener of [...this.#listeners]) {
      // One that was called before may have taken it away.
      if (this.#listeners.has(listener)) callOutside(listener.onInterrupts, count)
    }
  }

  /** Takes what came and was not told. */
  take(): number {
    this.assertOpen()
    const count = this.#event.take()
    if (count > 0 && this.control.intx) {
      const interrupts = count - this.#ownSignals
      this.#ownSignals = 0
      if (interrupts > 0) this.#masked = true
    }
    return count
  }

  /** Gives back what was taken and not handled, for the next who listens. */
  putBack(count: number): void {
    if (count === 0 || this.#closedBecause !== undefined) return
    this.#event.signal(count)
    this.#ownSignals += count
  }

  mask(): void {
    this.assertOpen()
    this.control.mask()
    this.#masked = true
  }

  unmask(): void {
    this.assertOpen()
    // What came before is no sign of a mask any more, but has still to be handled.
    if (this.control.intx) this.putBack(this.take())
    this.control.unmask()
    this.#masked = false
  }

  trigger(): void {
    if (!this.control.intx) {
      this.assertOpen()
      this.control.trigger()
      return
    }
    const before = this.take()
    this.control.trigger()
    // The first is the one triggered: what holds that one back in the kernel holds back the device's own, too.
    const came = this.#event.take()
    if (came > 1) this.#masked = true
    this.putBack(before + came)
  }

  park(): void {
    this.assertOpen()
    if (this.#parked) return
    this.control.arm(undefined)
    this.#parked = true
  }

  unpark(): void {
    this.assertOpen()
    if (!this.#parked) return
    this.control.arm(this.#event.fd)
    this.#parked = false
  }

  /** Ends it for all who listen, for a reason. Further calls do nothing. */
  close(because: string): void {
    if (this.#closedBecause !== undefined) return
    this.#closedBecause = because
    const reason = this.#closedError(because)
    // Not from in here: the device is halfway through being closed or moved, and must not be called now.
    for (const listener of this.#listeners) queueMicrotask(() => listener.onEnd(reason))
    this.#listeners.clear()
    using steps = new DisposableStack()
    steps.use(this.#event)
    steps.adopt(this.#watcher, (watcher) => watcher?.close())
    this.#watcher = undefined
  }

  /** @throws {@link OpenbarError} `ERR_CLOSED`. */
  assertOpen(): void {
    if (this.#closedBecause !== undefined) throw this.#closedError(this.#closedBecause)
  }

  #closedError(because: string): OpenbarError {
    const { what } = this.control
    return new OpenbarError('ERR_CLOSED', {
      message: `${what}: ${because}.`,
      hint: 'Switch interrupts on again: device.interrupts.enable(kind).',
      context: { what },
    })
  }
}
