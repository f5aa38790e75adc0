import { OpenbarError, syscallError, tryIoctl, VFIO_DEVICE_RESET } from '@openbar/linux'
import { attempt } from './attempt.ts'
import type { ResetOwner } from './reset-owner.ts'

/** What became of a device that the kernel failed to reset: errors say it. */
export const QUIET = 'Windows and interrupts are gone, and DMA is off.'

/**
 * Resets one function, by the best way that the kernel has for it.
 *
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when there is none, with nothing changed; `ERR_SYSCALL` when the kernel
 *   fails to; the device is quiet then.
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
  const putBack = owner.beforeReset('the device was reset')
  const result = attempt(() => tryIoctl(fd, VFIO_DEVICE_RESET))
  if (result < 0) throw syscallError('ioctl(VFIO_DEVICE_RESET)', -result, address, QUIET)
  putBack()
}
