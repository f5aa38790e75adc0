import type { DeviceEvent } from './device-event.ts'
import type { Subscription } from './subscribers.ts'

/** Events as they come, until a signal aborts or the source ends. */
export async function* iterateEvents(
  subscribe: (callback: (event: DeviceEvent) => void, onEnd: () => void) => Subscription,
  signal: AbortSignal | undefined,
): AsyncGenerator<DeviceEvent, void, void> {
  const queue: DeviceEvent[] = []
  let wake: () => void = () => {}
  let ended = false
  const end = () => {
    ended = true
    wake()
  }
  using subscription = subscribe((event) => {
    queue.push(event)
    wake()
  }, end)
  signal?.addEventListener('abort', end, { once: true })
  try {
    while (signal?.aborted !== true) {
      const event = queue.shift()
      if (event !== undefined) {
        yield event
        continue
      }
      if (ended) return
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      await promise
    }
  } finally {
    subscription.close()
    signal?.removeEventListener('abort', end)
  }
}
