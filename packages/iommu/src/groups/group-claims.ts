import { OpenbarError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'

/** The domains of this process that hold groups, each with the number of devices that it holds of the group. */
const claims = new Map<number, { owner: object; devices: number }>()

/**
 * Claims a device's group for a domain: a group can be in one only, whatever the domains stand on.
 *
 * @returns Gives the claim back, once for each device.
 * @throws {@link OpenbarError} `ERR_GROUP_BUSY` when another domain of this process holds the group.
 */
export function claimGroup({ address, group }: Attachable, owner: object): () => void {
  const claim = claims.get(group) ?? { owner, devices: 0 }
  if (claim.owner !== owner) {
    throw new OpenbarError('ERR_GROUP_BUSY', {
      message: `${address} cannot join this domain: IOMMU group ${group} is in another domain of this process.`,
      hint: 'A group moves as a whole: open all of its devices with the same domain.',
      context: { group, holders: [] },
    })
  }
  claim.devices += 1
  claims.set(group, claim)
  return () => {
    claim.devices -= 1
    if (claim.devices === 0) claims.delete(group)
  }
}

/** Hands a claimed group over to another domain, with all of its devices. */
export function passGroup(group: number, to: object): void {
  const claim = claims.get(group)
  if (claim !== undefined) claim.owner = to
}
