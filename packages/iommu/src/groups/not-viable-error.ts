import { OpenbarError } from '@openbar/linux'
import type { Group } from './groups.ts'

/** The error for a group in which another device still has a kernel driver. It names each of them. */
export function notViableError({ id, culprits }: Pick<Group, 'id' | 'culprits'>): OpenbarError<'ERR_GROUP_NOT_VIABLE'> {
  const names = culprits.map(({ address, driver }) => `${address} is bound to ${driver}`).join(', ')
  const [first] = culprits
  return new OpenbarError('ERR_GROUP_NOT_VIABLE', {
    message: `Group ${id} is not viable: ${names === '' ? 'one of its devices has a kernel driver' : names}.`,
    hint: `The devices of a group can only be driven together: unbind each named device, or bind it to vfio-pci${first === undefined ? '' : `: bindDriver('${first.address}', 'vfio-pci') of @openbar/pci`}.`,
    context: { group: id, culprits },
  })
}
