import { OpenbarError } from '@openbar/linux'
import { accessError } from '@openbar/pci'
import type { WindowPlace } from './window-owner.ts'

/** Why an access was refused: the window is gone, or the access is misaligned or out of bounds. */
export function windowError(
  place: WindowPlace,
  closed: boolean,
  offset: number,
  width: number,
  size: number,
): OpenbarError {
  return closed ? windowGone(place) : accessError(offset, width, size, placeName(place))
}

/** The window was closed, or its device took it away. */
export function windowGone(place: WindowPlace): OpenbarError<'ERR_CLOSED'> {
  const what = placeName(place)
  return new OpenbarError('ERR_CLOSED', {
    message: `${what}: this window was closed or taken away.`,
    hint: 'Map the region again: device.bar(n).map().',
    context: { what },
  })
}

/** Only a region that is mapped as a whole has arrays. */
export function noArray(place: WindowPlace): OpenbarError<'ERR_REGION'> {
  return new OpenbarError('ERR_REGION', {
    message: `${placeName(place)} cannot be mapped into memory as a whole, so it has no array.`,
    hint: 'Use read32 and write32.',
    context: { ...place },
  })
}

/** Only memory can be shared: a file's number may be another file's by the time that another thread uses it. */
export function notShareable(place: WindowPlace): OpenbarError<'ERR_REGION'> {
  return new OpenbarError('ERR_REGION', {
    message: `${placeName(place)} is not mapped into memory as a whole, so other threads cannot use it.`,
    hint: 'Have this thread access it, or open the device in the other one.',
    context: { ...place },
  })
}

/** The thread that shared a window has no longer got it. */
export function sharedWindowGone(place: WindowPlace): OpenbarError<'ERR_CLOSED'> {
  const what = placeName(place)
  return new OpenbarError('ERR_CLOSED', {
    message: `${what}: this window was closed here, or closed or taken away in the thread that shared it.`,
    hint: 'Have that thread map the region again and share the new window.',
    context: { what },
  })
}

/** What the kernel would refuse, at a region that can only be read, or only be written. */
export function oneWayOnly(place: WindowPlace, can: 'read' | 'written'): OpenbarError<'ERR_REGION'> {
  return new OpenbarError('ERR_REGION', {
    message: `${placeName(place)} can only be ${can}.`,
    context: { ...place },
  })
}

/** A region as it reads in messages. */
export function placeName({ address, region }: WindowPlace): string {
  return `${address}, ${region}`
}
