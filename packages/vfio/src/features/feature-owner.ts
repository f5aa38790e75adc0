import type { Fd } from '@openbar/linux'
import type { Revocable } from '../window/revocable.ts'

/** The device's side of its features. */
export interface FeatureOwner {
  readonly address: string
  /** Throws `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`. */
  readonly fd: Fd<'device'>
  /** The device as its user holds it: what the user holds of it keeps it alive. */
  readonly keeper: object
  /** Something that goes when the device is closed, loses its domain or is reset. */
  windowOpened(view: Revocable): void
  windowClosed(view: Revocable): void
}
