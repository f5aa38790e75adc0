import { EventFd, type Fd, FdWatcher, invalidArgument, OpenbarError } from '@openbar/linux'
import { callOutside } from '../events/call-outside.ts'
import type { Subscription } from '../events/subscribers.ts'

/** Timers of Node reach no further, and end at once beyond that. */
const LONGEST_WAIT_MS = 0x7fff_ffff

/** How long to wait for an interrupt. */
export interface InterruptWaitOptions {
  /** Longest wait in milliseconds. */
  readonly timeout: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal
}

/** What a vector can ask of its device. */
export interface VectorControl {
  /** The vector as messages name it: `0000:00:02.0, MSI-X vector 1`. */
  readonly what: string
  mask(): void
  unmask(): void
  trigger(): void
  /** Why no interrupt can come, with what to do about it; `undefined` when nothing stands in the way here. */
  silentBecause(): string | undefined
}

/**
 * One interrupt vector. Interrupts that come while nobody listens are counted and given to the next listener.
 *
 * @example
 * ```ts
 * const { vectors } = device.interrupts.enable('msix', { vectors: 1 })
 * for await (const count of vectors[0].events({ signal })) console.log(`${count} interrupts`)
 * ```
 */
export class InterruptVector {
  /** The vector's number. */
  readonly number: number
  readonly #event = new EventFd()
  readonly #control: VectorControl
  readonly #listeners = new Set<(count: number) => void>()
  readonly #closers = new Set<(reason: OpenbarError) => void>()
  #watcher: FdWatcher | undefined
  #closed = false

  /** @internal Vectors come from `device.interrupts.enable`. */
  constructor(number: number, control: VectorControl) {
    this.number = number
    this.#control = control
  }

  /** The eventfd that the kernel signals, for an event loop of the caller's own. Do not close it. */
  get fd(): Fd<'eventfd'> {
    this.#assertOpen()
    return this.#event.fd
  }

  /**
   * Calls back on every delivery, with the number of interrupts since the last one. Keeps the process alive.
   *
   * An exception in a callback is an uncaught exception of the process.
   *
   * @param onEnd - Called once, with the reason, after interrupts were switched off while the subscription was open.
   * @throws {@link OpenbarError} `ERR_CLOSED` when they were switched off before; `ERR_INVALID_ARGUMENT` when the program
   *   watches {@link InterruptVector.fd} by itself.
   *
   * @example
   * ```ts
   * using subscription = vector.subscribe((count) => { drain() })
   * ```
   */
  subscribe(callback: (count: number) => void, onEnd: (reason: OpenbarError) => void = () => {}): Subscription {
    this.#assertOpen()
    this.#watcher ??= new FdWatcher(this.#event.fd, () => this.#deliver())
    // A wrapper of its own, so that one callback can be subscribed twice and each subscription ends by itself.
    const listener = (count: number) => callback(count)
    const closer = (reason: OpenbarError) => onEnd(reason)
    this.#listeners.add(listener)
    this.#closers.add(closer)
    const close = () => {
      this.#closers.delete(closer)
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return
      this.#watcher?.close()
      this.#watcher = undefined
    }
    return { close, [Symbol.dispose]: close }
  }

  /**
   * Waits for the next interrupt, or returns at once when some came unheard.
   *
   * @returns The number of interrupts.
   * @throws {@link OpenbarError} `ERR_TIMEOUT`; `ERR_CLOSED` when interrupts are switched off meanwhile;
   *   `ERR_INVALID_ARGUMENT` for a timeout that is no end; or the signal's reason.
   *
   * @example
   * ```ts
   * await vector.wait({ timeout: 1000 })
   * ```
   */
  async wait(options: InterruptWaitOptions): Promise<number> {
    const { timeout, signal } = options
    if (!(timeout >= 0 && timeout <= LONGEST_WAIT_MS)) {
      throw invalidArgument('timeout', timeout, `a number of milliseconds from 0 to ${LONGEST_WAIT_MS}`)
    }
    signal?.throwIfAborted()
    // With a subscriber, what came is for all who listen: taken here, it would be lost to the others.
    const unheard = this.#listeners.size === 0 ? this.#take() : 0
    if (unheard > 0) return unheard
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const subscription = this.subscribe(resolve, reject)
    const timer = setTimeout(() => reject(this.#timeoutError(timeout)), timeout)
    const abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await promise
    } finally {
      subscription.close()
      signal?.removeEventListener('abort', abort)
      clearTimeout(timer)
    }
  }

  /**
   * The interrupts as they come, each item the number since the last. Ends when the signal aborts or interrupts are
   * switched off. Listens from the first item that is asked for.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED` when interrupts were switched off before.
   *
   * @example
   * ```ts
   * for await (const count of vector.events({ signal: AbortSignal.timeout(1000) })) console.log(count)
   * ```
   */
  async *events(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<number, void, void> {
    const { signal } = options
    let pending = 0
    let wake: () => void = () => {}
    let ended = false
    const end = () => {
      ended = true
      wake()
    }
    const subscription = this.subscribe((count) => {
      pending += count
      wake()
    }, end)
    signal?.addEventListener('abort', end, { once: true })
    try {
      while (!ended && signal?.aborted !== true) {
        if (pending > 0) {
          const count = pending
          pending = 0
          yield count
          continue
        }
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        await promise
      }
    } finally {
      subscription.close()
      signal?.removeEventListener('abort', end)
      // The reader left with some unread: they are for the next who listens.
      if (pending > 0 && !this.#closed && this.#listeners.size === 0) this.#event.signal(pending)
    }
  }

  /**
   * Masks the vector.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` for MSI and MSI-X, which the kernel does not mask; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * vector.mask()
   * ```
   */
  mask(): void {
    this.#assertOpen()
    this.#control.mask()
  }

  /**
   * Unmasks the vector. The kernel masks INTx on each delivery: unmask it once the device no longer asserts it.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` for MSI and MSI-X; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * vector.subscribe(() => { handle(); vector.unmask() })
   * ```
   */
  unmask(): void {
    this.#assertOpen()
    this.#control.unmask()
  }

  /**
   * Delivers the vector as if the device had raised it, for tests.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * vector.trigger()
   * await vector.wait({ timeout: 1000 }) // 1
   * ```
   */
  trigger(): void {
    this.#assertOpen()
    this.#control.trigger()
  }

  /** @internal */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#watcher?.close()
    this.#listeners.clear()
    const error = this.#closedError()
    // Not from in here: the device is halfway through being closed or moved, and must not be called now.
    for (const closer of this.#closers) queueMicrotask(() => closer(error))
    this.#closers.clear()
    this.#event.close()
  }

  #deliver(): void {
    const count = this.#take()
    if (count === 0) return
    for (const listener of [...this.#listeners]) {
      // One that was called before may have closed it.
      if (this.#listeners.has(listener)) callOutside(() => listener(count))
    }
  }

  #take(): number {
    this.#assertOpen()
    return this.#event.take()
  }

  #timeoutError(milliseconds: number): OpenbarError {
    const waitedFor = `an interrupt of ${this.#control.what}`
    return new OpenbarError('ERR_TIMEOUT', {
      message: `Waited ${milliseconds} ms for ${waitedFor}, in vain.`,
      hint: this.#control.silentBecause(),
      context: { waitedFor, milliseconds },
    })
  }

  #assertOpen(): void {
    if (this.#closed) throw this.#closedError()
  }

  #closedError(): OpenbarError {
    const { what } = this.#control
    return new OpenbarError('ERR_CLOSED', {
      message: `${what}: interrupts were switched off.`,
      hint: 'Switch them on again: device.interrupts.enable(kind).',
      context: { what },
    })
  }
}
