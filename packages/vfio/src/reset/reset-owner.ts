import type { Fd } from '@openbar/linux'
import type { OpenDevice } from '../device/open-devices.ts'

/** The device's side of its resets. */
export interface ResetOwner extends OpenDevice {
  readonly address: string
  /** Throws `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`. */
  readonly fd: Fd<'device'>
  /** Whether VFIO can reset the function by itself. */
  readonly resettable: boolean
  /** Whether the kernel has asked for the device back. */
  readonly releaseRequested: boolean
}
