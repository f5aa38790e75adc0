import { invalidArgument } from '@openbar/linux'

/** Timers of Node reach no further, and end at once beyond that. */
const LONGEST_WAIT_MS = 0x7fff_ffff

/** When a wait ends at the latest. */
export interface WaitEnd {
  /** Longest wait in milliseconds. */
  readonly timeout: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Refuses a timeout that is no end, and a wait whose signal has aborted. */
export function assertWait({ timeout, signal }: WaitEnd): void {
  if (!(timeout >= 0 && timeout <= LONGEST_WAIT_MS)) {
    throw invalidArgument('timeout', timeout, `a number of milliseconds from 0 to ${LONGEST_WAIT_MS}`)
  }
  signal?.throwIfAborted()
}

/**
 * Waits for something to be told, and not for longer than it may.
 *
 * @param listen - Begins to listen; what it answers ends that.
 * @param onTimeout - Called when the time is up: the error to throw, unless the answer comes from within.
 */
export async function waitWithin<Result>(
  listen: (resolve: (result: Result) => void, reject: (reason: unknown) => void) => () => void,
  { timeout, signal }: WaitEnd,
  onTimeout: () => unknown,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const leave = listen(resolve, reject)
  const timer = setTimeout(() => reject(onTimeout()), timeout)
  const abort = () => reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    return await promise
  } finally {
    leave()
    signal?.removeEventListener('abort', abort)
    clearTimeout(timer)
  }
}
