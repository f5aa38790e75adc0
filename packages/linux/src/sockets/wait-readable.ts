import { invalidArgument } from '../errors/invalid-argument.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { FdWatcher } from '../events/fd-watcher.ts'
import type { Fd } from '../fd.ts'

/** The longest time that a timer takes, in milliseconds; it would end at once after a longer one. */
const LONGEST = 2 ** 31 - 1

/** When a wait on a socket ends; it has to have one end at least. */
export interface SocketWaitOptions {
  /** Longest wait in milliseconds. */
  readonly timeout?: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal
  /** Lets the process end although something is waited for. `false` by default. */
  readonly background?: boolean
}

/** Refuses a wait without an end. */
export function assertEnds({ timeout, signal }: SocketWaitOptions): void {
  if (timeout === undefined && signal !== undefined) return
  if (timeout !== undefined && Number.isFinite(timeout) && timeout >= 0) return
  throw invalidArgument('timeout', timeout, 'a number of milliseconds, zero or more, or a signal in its place')
}

/**
 * Waits in the event loop until a file descriptor is readable.
 *
 * @param waitedFor - As it reads after "waited for".
 * @param closed - Ends the wait too, with its reason: somebody closed the descriptor.
 * @throws {@link OpenbarError} `ERR_TIMEOUT`, or a signal's reason.
 */
export async function waitReadable(
  fd: Fd,
  { timeout, signal, background }: SocketWaitOptions,
  waitedFor: string,
  closed: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted()
  closed.throwIfAborted()
  using steps = new DisposableStack()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  for (const end of [signal, closed]) {
    const onAbort = () => reject(end?.reason)
    end?.addEventListener('abort', onAbort)
    steps.defer(() => end?.removeEventListener('abort', onAbort))
  }
  if (timeout !== undefined) {
    const timer = setTimeout(() => reject(timeoutError(waitedFor, timeout)), Math.min(timeout, LONGEST))
    if (background === true) timer.unref()
    steps.defer(() => clearTimeout(timer))
  }
  const watcher = steps.use(new FdWatcher(fd, resolve))
  if (background === true) watcher.unref()
  // A descriptor that is about to be closed must not be watched any more, so this is not left to the promise.
  const stop = () => watcher.close()
  closed.addEventListener('abort', stop)
  steps.defer(() => closed.removeEventListener('abort', stop))
  await promise
}

function timeoutError(waitedFor: string, milliseconds: number): OpenbarError<'ERR_TIMEOUT'> {
  return new OpenbarError('ERR_TIMEOUT', {
    message: `Waited ${milliseconds} ms for ${waitedFor}, in vain.`,
    context: { waitedFor, milliseconds },
  })
}
