import { setTimeout as sleep } from 'node:timers/promises'
import { invalidArgument } from './errors/invalid-argument.ts'
import { OpenbarError } from './errors/openbar-error.ts'

/** How long to wait, and what for. */
export interface WaitOptions {
  /** Longest wait in milliseconds; every wait has an end. */
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
 * @throws {@link OpenbarError} `ERR_TIMEOUT`, saying what was waited for; `ERR_INVALID_ARGUMENT` for a timeout that is
 *   no end; or the signal's reason.
 *
 * @example
 * ```ts
 * await waitUntil(() => (bar.read32(STATUS) & 2) !== 0, { timeout: 5000, waitedFor: 'the link' })
 * ```
 */
export async function waitUntil(condition: () => boolean, options: WaitOptions): Promise<void> {
  const { timeout, waitedFor, interval = 1, signal } = options
  if (!Number.isFinite(timeout) || timeout < 0) {
    throw invalidArgument('timeout', timeout, 'a number of milliseconds, zero or more')
  }
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
    const pause = Math.min(interval, Math.max(end - performance.now(), 0))
    // An aborted sleep rejects with an error of its own; the look at the signal above throws the caller's reason.
    await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch(() => {})
  }
}
