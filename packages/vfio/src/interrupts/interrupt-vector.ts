import { type Fd, OpenbarError } from '@openbar/linux'
import type { Subscription } from '../events/subscribers.ts'
import { assertWait, waitWithin } from '../events/wait-within.ts'
import type { VectorCore } from './vector-core.ts'

/** How long to wait for an interrupt. */
export interface InterruptWaitOptions {
  /** Longest wait in milliseconds. */
  readonly timeout: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal
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
  /** The device as the program holds it: it is in use while a vector of it is held or listened to. */
  readonly #keeper: object
  readonly #core: VectorCore

  /** @internal Vectors come from `device.interrupts.enable`. */
  constructor(core: VectorCore, keeper: object) {
    this.number = core.number
    this.#core = core
    this.#keeper = keeper
  }

  /**
   * The eventfd that the kernel signals, for an event loop of the caller's own. Do not close it.
   *
   * What one loop has read is gone for the other: listen here or there.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   */
  get fd(): Fd<'eventfd'> {
    return this.#core.fd
  }

  /**
   * Whether the kernel holds INTx back: after {@link InterruptVector.mask}, and after each delivery, until
   * {@link InterruptVector.unmask}. What another loop has read from {@link InterruptVector.fd} is not known here. Always `false`
   * for MSI and MSI-X.
   */
  get masked(): boolean {
    return this.#core.masked
  }

  /** Whether the vector is parked, see {@link InterruptVector.parkLossy}. */
  get parked(): boolean {
    return this.#core.parked
  }

  /**
   * Calls back on every delivery, with the number of interrupts since the last one. Keeps the process alive, and the device in
   * use although nothing else refers to it.
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
    // An object of its own, so that one callback can be subscribed twice and each subscription ends by itself.
    const close = this.#core.listen({
      onInterrupts: (count) => callback(count),
      onEnd: (reason) => onEnd(reason),
      keeper: this.#keeper,
    })
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
    assertWait(options)
    // With a subscriber, what came is for all who listen: taken here, it would be lost to the others.
    const unheard = this.#core.heard ? 0 : this.#core.take()
    if (unheard > 0) return unheard
    const onTimeout = () => {
      // In an event loop that was busy the time is up before the loop has looked for interrupts.
      this.#core.deliver()
      return this.#timeoutError(options.timeout)
    }
    return waitWithin<number>((resolve, reject) => this.subscribe(resolve, reject).close, options, onTimeout)
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
      if (!this.#core.heard) this.#core.putBack(pending)
    }
  }

  /**
   * Masks the vector: what the device asserts meanwhile is delivered when it is unmasked.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` for MSI and MSI-X, which the kernel does not mask; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * vector.mask()
   * ```
   */
  mask(): void {
    this.#core.mask()
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
    this.#core.unmask()
  }

  /**
   * Parks an MSI or MSI-X vector: interrupts are lost until {@link InterruptVector.unpark}, all of them or, where the device
   * keeps a pending bit, all but one. What came before stays to be delivered, and whoever listens goes on listening. Does nothing
   * when it is parked.
   *
   * Look at the device after unparking, as after any interrupt: nothing says what was lost.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` for INTx, which can be masked without a loss; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * vector.parkLossy()
   * poll()
   * vector.unpark()
   * poll() // what came between the last poll and the unparking
   * ```
   */
  parkLossy(): void {
    this.#core.park()
  }

  /**
   * Has a parked vector deliver again. Does nothing when it is not parked.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL` when the kernel refuses: it stays parked then; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * vector.unpark()
   * ```
   */
  unpark(): void {
    this.#core.unpark()
  }

  /**
   * Delivers the vector as if the device had raised it, for tests. A parked one loses it.
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
    this.#core.trigger()
  }

  #timeoutError(milliseconds: number): OpenbarError {
    const waitedFor = `an interrupt of ${this.#core.control.what}`
    return new OpenbarError('ERR_TIMEOUT', {
      message: `Waited ${milliseconds} ms for ${waitedFor}, in vain.`,
      hint: this.#silentBecause(),
      context: { waitedFor, milliseconds },
    })
  }

  #silentBecause(): string | undefined {
    if (this.#core.parked) return 'The vector is parked: vector.unpark().'
    if (this.#core.masked)
      return 'It is masked, as the kernel does at each delivery: vector.unmask() once it was handled.'
    return this.#core.control.silentBecause()
  }
}
