import {
  type Fd,
  tryIoctl,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  vfioIrqSet,
} from '@openbar/linux'

// All answer what the ioctl does: 0, a negated errno, or a positive count when only so many vectors could be had.

/** Switches a kind of interrupt on, with an eventfd for each vector from 0. */
export function enableVectors(fd: Fd<'device'>, index: number, eventfds: readonly Fd<'eventfd'>[]): number {
  const set = vfioIrqSet.allocate(eventfds.length * 4)
  set.argsz = set.bytes.byteLength
  set.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER
  set.index = index
  set.count = eventfds.length
  eventfds.forEach((eventfd, vector) => {
    set.view.setInt32(vfioIrqSet.size + vector * 4, eventfd, true)
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

function action(fd: Fd<'device'>, index: number, start: number, count: number, flag: number): number {
  const set = vfioIrqSet.allocate()
  set.argsz = vfioIrqSet.size
  set.flags = VFIO_IRQ_SET_DATA_NONE | flag
  set.index = index
  set.start = start
  set.count = count
  return tryIoctl(fd, VFIO_DEVICE_SET_IRQS, set)
}
