import type { FaultEvent } from './fault-event.ts'

/** Events that wait for a watcher to take them. */
const PENDING_LIMIT = 1024

/** Which faults to watch, and how long. */
export interface FaultWatchOptions {
  /** PCI address of the one device to watch; all devices when left out. */
  readonly device?: string | undefined
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined
}

type Result = IteratorResult<FaultEvent, undefined>

/** Faults as they are reported, for one watcher. Ends when the loop over it is left, or by `return()` or `await using`. */
export interface FaultEvents extends AsyncIterableIterator<FaultEvent, undefined, void>, AsyncDisposable {
  return(): Promise<Result>
  [Symbol.asyncIterator](): this
}

const DONE: Result = { done: true, value: undefined }

/** What one watcher sees: the events of its device as they come, each once, until it ends. */
export class FaultWatch implements FaultEvents {
  readonly #device: string | undefined
  readonly #signal: AbortSignal | undefined
  readonly #onEnd: () => void
  readonly #pending: FaultEvent[] = []
  readonly #waiting: PromiseWithResolvers<Result>[] = []
  #dropped: (FaultEvent & { kind: 'lost' }) | undefined
  #failure: { readonly error: unknown } | undefined
  #ended = false

  /** @param onEnd - Called once, when nothing more is wanted. */
  constructor({ device, signal }: FaultWatchOptions, onEnd: () => void) {
    this.#device = device
    this.#signal = signal
    this.#onEnd = onEnd
    if (signal?.aborted === true) this.#ended = true
    else signal?.addEventListener('abort', this.end, { once: true })
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Delivers a copy of an event, if this watcher is meant. */
  push(event: FaultEvent): void {
    if (this.#ended || (event.kind === 'fault' && this.#device !== undefined && event.device !== this.#device)) return
    const copy = { ...event }
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) waiting.resolve({ done: false, value: copy })
    else if (this.#pending.push(copy) > PENDING_LIMIT) this.#drop()
  }

  /** Ends the iteration now. Further calls do nothing. */
  readonly end = (): void => {
    if (this.#ended) return
    this.#ended = true
    this.#signal?.removeEventListener('abort', this.end)
    this.#pending.length = 0
    for (const { resolve } of this.#waiting.splice(0)) resolve(DONE)
    this.#onEnd()
  }

  /** Ends the iteration with an error. */
  fail(error: unknown): void {
    if (this.#ended) return
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#failure = { error }
    else waiting.reject(error)
    this.end()
  }

  next(): Promise<Result> {
    const failure = this.#failure
    if (failure !== undefined) {
      this.#failure = undefined
      return Promise.reject(failure.error)
    }
    if (this.#ended) return Promise.resolve(DONE)
    const value = this.#dropped ?? this.#pending.shift()
    this.#dropped = undefined
    if (value !== undefined) return Promise.resolve({ done: false, value })
    const waiting = Promise.withResolvers<Result>()
    this.#waiting.push(waiting)
    return waiting.promise
  }

  return(): Promise<Result> {
    this.end()
    return Promise.resolve(DONE)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #drop(): void {
    const oldest = this.#pending.shift()
    if (oldest === undefined) return
    this.#dropped = { kind: 'lost', cause: 'backlog', count: (this.#dropped?.count ?? 0) + 1, at: oldest.at }
  }
}
