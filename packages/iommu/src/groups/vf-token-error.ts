import { Errno, OpenbarError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'

/**
 * What the kernel's refusal of a device has to do with its VF token, the secret that the users of an SR-IOV function's physical and
 * virtual functions share; `undefined` when nothing.
 *
 * @see Linux drivers/vfio/pci/vfio_pci_core.c: vfio_pci_core_match_token_uuid, vfio_pci_validate_vf_token
 */
export function vfTokenError(
  { address, vfToken }: Attachable,
  errno: number,
  syscall: string,
): OpenbarError | undefined {
  const given = vfToken !== undefined
  if (errno === Errno.EACCES) {
    return new OpenbarError('ERR_PERMISSION', {
      message: given
        ? `${address} cannot be opened: the VF token is not the one that its physical function was opened with.`
        : `${address} cannot be opened without its VF token: it is an SR-IOV function whose physical function is bound to vfio-pci.`,
      hint: "Give the token with which the physical function's driver opened it: Device.open(address, { vfToken }).",
      context: { target: address },
      errno,
      syscall,
    })
  }
  if (errno !== Errno.EINVAL || !given) return undefined
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${address} takes no VF token: it is no SR-IOV function whose physical function is bound to vfio-pci (with its module parameter enable_sriov on).`,
    hint: 'Leave vfToken out.',
    context: { what: 'VF token' },
    errno,
    syscall,
  })
}
