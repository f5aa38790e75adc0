import { setTimeout as sleep } from 'node:timers/promises'
import { OpenbarError } from './errors/openbar-error.ts'

/** How long to wait, and what for. */
export interface WaitOptions {
  /** Longest wait in milliseconds. */
  readonly timeout: number
  /** What is waited for, as it reads after "waited for". */
  readonly waitedFor: string
  /** Pause between two looks in milliseconds; 1 by default. */
  readonly interval?: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Looks again and again until a condition holds, at least once, and once more when the time is up.
 *
 * @throws {@link OpenbarError} `ERR_TIMEOUT`, saying what was waited for; or the signal's reason.
 *
 * @example
 * ```ts
 * await waitUntil(() => (bar.read32(STATUS) & 2) !== 0, { timeout: 5000, waitedFor: 'the link' })
 * ```
 */
export async function waitUntil(condition: () => boolean, options: WaitOptions): Promise<void> {
  const { timeout, waitedFor, interval = 1, signal } = options
  const end = performance.now() + timeout
  for (;;) {
    signal?.throwIfAborted()
    // Taken before the look: a slow machine may sleep past the end, and what came true meanwhile must count.
    const last = performance.now() >= end
    if (condition()) return
    if (last) {
      throw new OpenbarError('ERR_TIMEOUT', {
        message: `Waited ${timeout} ms for ${waitedFor}, in vain.`,
        context: { waitedFor, milliseconds: timeout },
      })
    }
    await sleep(interval)
  }
}
