import { OpenbarError } from '@openbar/linux'
import { readGroup } from './groups.ts'

/** The error for a group in which another device still has a kernel driver. It names each of them. */
export function notViableError(id: number): OpenbarError<'ERR_GROUP_NOT_VIABLE'> {
  const { culprits } = readGroup(id)
  const names = culprits.map(({ address, driver }) => `${address} is bound to ${driver}`).join(', ')
  return new OpenbarError('ERR_GROUP_NOT_VIABLE', {
    message: `Group ${id} is not viable: ${names === '' ? 'one of its devices has a kernel driver' : names}.`,
    hint: 'The devices of a group can only be driven together: unbind each named device, or bind it to vfio-pci.',
    context: { group: id, culprits },
  })
}
