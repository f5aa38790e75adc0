import { Errno, OpenbarError, syscallError } from '@openbar/linux'
import type { ResetOwner } from './reset-owner.ts'

/** What became of a device that the kernel failed to reset: errors say it. */
export const QUIET = 'Windows and interrupts are gone, and DMA is off.'

/**
 * Refuses to reset a device that the kernel has asked for: whoever unplugs or unbinds it has it locked until it is closed.
 *
 * @throws {@link OpenbarError} `ERR_DEVICE_BUSY`.
 */
export function assertNotAskedFor({ address, releaseRequested }: ResetOwner): void {
  if (!releaseRequested) return
  throw new OpenbarError('ERR_DEVICE_BUSY', {
    message: `${address} cannot be reset: the kernel has asked for it back, and keeps it locked until it is closed.`,
    hint: 'Close it: device.close().',
    context: { address, holders: [] },
  })
}

/**
 * The error for a reset that the kernel refused.
 *
 * @param names - The devices that it would have reset.
 */
export function resetError(
  syscall: string,
  errno: number,
  { address }: ResetOwner,
  names: string,
  hint = QUIET,
): OpenbarError {
  if (errno !== Errno.EAGAIN) return syscallError(syscall, errno, names, hint)
  return new OpenbarError('ERR_DEVICE_BUSY', {
    message: `${address} cannot be reset: the kernel has ${names} locked. ${QUIET}`,
    hint: 'It is about to be unbound or unplugged, and then is to be closed; or something else is done to it (sysfs, recovery from an error): try again.',
    context: { address, holders: [] },
    errno,
    syscall,
  })
}
