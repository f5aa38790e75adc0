import {
  type Fd,
  tryIoctl,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  vfioIrqSet,
} from '@openbar/linux'

// All answer what the ioctl does: 0, a negated errno, or a positive count when only so many vectors could be had.

/** Stands in an eventfd's place for a vector that signals nothing. */
export const NO_EVENT = -1

/**
 * Ties vectors from `start` on to eventfds, or to {@link NO_EVENT}. Switches the kind on if it was off, with as many vectors as
 * that needs.
 */
export function armVectors(
  fd: Fd<'device'>,
  index: number,
  start: number,
  events: readonly (Fd<'eventfd'> | typeof NO_EVENT)[],
): number {
  const set = irqSet(index, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, start, events.length, 4)
  events.forEach((event, vector) => {
    set.view.setInt32(vfioIrqSet.size + vector * 4, event, true)
  })
  return tryIoctl(fd, VFIO_DEVICE_SET_IRQS, set)
}

/** Switches a kind of interrupt off. */
export function disableVectors(fd: Fd<'device'>, index: number): number {
  return action(fd, index, 0, 0, VFIO_IRQ_SET_ACTION_TRIGGER)
}

/** Masks a vector. */
export function maskVector(fd: Fd<'device'>, index: number, vector: number): number {
  return action(fd, index, vector, 1, VFIO_IRQ_SET_ACTION_MASK)
}

/** Unmasks a vector; an interrupt that is pending is delivered at once. */
export function unmaskVector(fd: Fd<'device'>, index: number, vector: number): number {
  return action(fd, index, vector, 1, VFIO_IRQ_SET_ACTION_UNMASK)
}

/** Delivers a vector as if the device had raised it. */
export function triggerVector(fd: Fd<'device'>, index: number, vector: number): number {
  return action(fd, index, vector, 1, VFIO_IRQ_SET_ACTION_TRIGGER)
}

/** The same for several at once, by number. */
export function triggerVectors(fd: Fd<'device'>, index: number, vectors: readonly number[]): number {
  const start = Math.min(...vectors)
  const count = Math.max(...vectors) - start + 1
  const set = irqSet(index, VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, start, count, 1)
  for (const vector of vectors) set.view.setUint8(vfioIrqSet.size + vector - start, 1)
  return tryIoctl(fd, VFIO_DEVICE_SET_IRQS, set)
}

function action(fd: Fd<'device'>, index: number, start: number, count: number, flag: number): number {
  return tryIoctl(fd, VFIO_DEVICE_SET_IRQS, irqSet(index, VFIO_IRQ_SET_DATA_NONE | flag, start, count, 0))
}

function irqSet(index: number, flags: number, start: number, count: number, width: number) {
  const set = vfioIrqSet.allocate(count * width)
  set.argsz = set.bytes.byteLength
  set.flags = flags
  set.index = index
  set.start = start
  set.count = count
  return set
}
