import type { OpenbarError } from '@openbar/linux'
import { callOutside } from './call-outside.ts'

/** A callback's registration; disposing it ends the callbacks. */
export interface Subscription {
  /** Ends the callbacks. Further calls do nothing. */
  close(): void
  [Symbol.dispose](): void
}

interface Subscriber<Item> {
  readonly callback: (item: Item) => void
  readonly onEnd: (reason: OpenbarError) => void
  /** Kept alive as long as somebody listens. */
  readonly keeper: object
}

/** Those who listen to something: each gets every item, until it leaves or all is over. */
export class Subscribers<Item> {
  readonly #all = new Set<Subscriber<Item>>()

  get empty(): boolean {
    return this.#all.size === 0
  }

  add(callback: (item: Item) => void, onEnd: (reason: OpenbarError) => void, keeper: object): Subscription {
    // An entry of its own, so that one callback can be subscribed twice and each subscription ends by itself.
    let subscriber: Subscriber<Item> | undefined = { callback, onEnd, keeper }
    this.#all.add(subscriber)
    const close = () => {
      if (subscriber !== undefined) this.#all.delete(subscriber)
      // Who keeps a subscription that has ended keeps nothing else.
      subscriber = undefined
    }
    return { close, [Symbol.dispose]: close }
  }

  deliver(item: Item): void {
    for (const subscriber of [...this.#all]) {
      // One that was called before may have closed it.
      if (this.#all.has(subscriber)) callOutside(subscriber.callback, item)
    }
  }

  end(reason: OpenbarError): void {
    // Not from in here: the device is halfway through being closed, and must not be called now.
    for (const { onEnd } of this.#all) queueMicrotask(() => onEnd(reason))
    this.#all.clear()
  }
}
