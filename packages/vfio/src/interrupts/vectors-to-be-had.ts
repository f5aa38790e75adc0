import type { Fd } from '@openbar/linux'
import { armVectors, disableVectors, NO_EVENT } from './set-irqs.ts'

/**
 * How many vectors of a kind could be switched on, fewer than those that were refused. Finds out by trying, and leaves the kind
 * off. With events, since an x86 CPU gives a vector only to what can be signalled.
 */
export function countEnableable(
  fd: Fd<'device'>,
  index: number,
  events: readonly (Fd<'eventfd'> | typeof NO_EVENT)[],
): number {
  let works = 0
  let fails = events.length
  while (fails - works > 1) {
    const middle = (works + fails) >> 1
    if (armVectors(fd, index, 0, events.slice(0, middle)) === 0) {
      disableVectors(fd, index)
      works = middle
    } else fails = middle
  }
  return works
}

/** The same for vectors that were to come beside others: one after the other, and all are off again. */
export function countArmable(fd: Fd<'device'>, index: number, start: number, events: readonly Fd<'eventfd'>[]): number {
  const refused = events.findIndex((event, offset) => armVectors(fd, index, start + offset, [event]) !== 0)
  const armed = refused === -1 ? events.length : refused
  if (armed > 0) armVectors(fd, index, start, new Array<typeof NO_EVENT>(armed).fill(NO_EVENT))
  return armed
}
