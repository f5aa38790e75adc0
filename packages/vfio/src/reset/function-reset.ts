import { OpenbarError, tryIoctl, VFIO_DEVICE_RESET } from '@openbar/linux'
import { attempt } from './attempt.ts'
import { assertNotAskedFor, resetError } from './reset-errors.ts'
import type { ResetOwner } from './reset-owner.ts'

/**
 * Resets one function, by the best way that the kernel has for it.
 *
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when there is none, with nothing changed; `ERR_DEVICE_BUSY` when the
 *   kernel has asked for it back, with nothing changed, or has it locked, and `ERR_SYSCALL` when it fails to: the device is quiet then.
 * @see drivers/vfio/pci/vfio_pci_core.c, `vfio_pci_ioctl_reset`: the kernel brings it to D0, and saves and restores config space
 */
export function resetFunction(owner: ResetOwner): void {
  const { fd, address } = owner
  if (!owner.resettable) {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${address} cannot be reset: the kernel knows no way for this function alone.`,
      hint: "Use the device's own reset bit, or reset the bus that it is on: device.hotReset().",
      context: { what: 'function reset' },
    })
  }
  assertNotAskedFor(owner)
  const putBack = owner.beforeReset('the device was reset')
  const result = attempt(() => tryIoctl(fd, VFIO_DEVICE_RESET))
  if (result < 0) throw resetError('ioctl(VFIO_DEVICE_RESET)', -result, owner, address)
  putBack()
}
