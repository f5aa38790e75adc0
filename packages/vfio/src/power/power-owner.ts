import type { Fd } from '@openbar/linux'
import type { RegisterAccess } from '@openbar/pci'
import type { LowPower } from './low-power.ts'

/** The device's side of its power. */
export interface PowerOwner {
  readonly address: string
  /** Throws `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`. */
  readonly fd: Fd<'device'>
  /** The device as its user holds it: what the user holds of it keeps it alive. */
  readonly keeper: object
  /** The live config space; accesses throw as {@link PowerOwner.fd} does. */
  readonly config: RegisterAccess
  /** The core's half of low power. */
  readonly lowPower: LowPower
  /**
   * Takes every view away, and switches interrupts and bus mastering off.
   *
   * @param reason - What happens to the device, for the errors of what it took away: `the device was put into D3hot`.
   */
  quiesce(reason: string): void
}
