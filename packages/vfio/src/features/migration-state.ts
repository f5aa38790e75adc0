/** The states of a device that can be migrated, in the order of the kernel's numbers. */
export const MIGRATION_STATES = [
  'error',
  'stop',
  'running',
  'stopCopy',
  'resuming',
  'runningP2p',
  'preCopy',
  'preCopyP2p',
] as const

/**
 * What a device does while it is migrated.
 *
 * - `running`: it works as ever. `runningP2p`: but does no DMA to other devices.
 * - `preCopy`, `preCopyP2p`: the same, while its state is read.
 * - `stop`: it does nothing. `stopCopy`: and its state is read.
 * - `resuming`: it does nothing, and its state is written.
 * - `error`: it has failed; only `device.reset()` helps.
 *
 * @see linux/vfio.h, `enum vfio_device_mig_state`
 */
export type MigrationState = (typeof MIGRATION_STATES)[number]

/** What of migration a device has, beside `running`, `stop`, `stopCopy` and `resuming`. */
export interface MigrationSupport {
  /** Whether it has `runningP2p`. */
  readonly p2p: boolean
  /** Whether it has `preCopy`, and with `p2p` `preCopyP2p`. */
  readonly preCopy: boolean
}

/** Whether a device with that support has a state. */
export function hasState({ p2p, preCopy }: MigrationSupport, state: MigrationState): boolean {
  if (state === 'runningP2p') return p2p
  if (state === 'preCopy') return preCopy
  return state === 'preCopyP2p' ? p2p && preCopy : true
}
