import { Errno } from '@openbar/linux'

const TRIES = 40
const PAUSE_MS = 5

// The kernel tries to lock what it resets, and gives up when somebody else has it locked for a moment.
const BUSY: readonly number[] = [-Errno.EAGAIN, -Errno.EBUSY]

const pause = new Int32Array(new SharedArrayBuffer(4))

/**
 * Makes a request of the kernel, and makes it again after a short while when something was locked: for 0.2 seconds at most.
 *
 * @returns The last answer.
 */
export function attempt(request: () => number): number {
  let result = request()
  for (let tries = 1; tries < TRIES && BUSY.includes(result); tries += 1) {
    Atomics.wait(pause, 0, 0, PAUSE_MS)
    result = request()
  }
  return result
}
