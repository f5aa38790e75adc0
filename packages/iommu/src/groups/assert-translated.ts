import { existsSync } from 'node:fs'
import { OpenbarError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { readGroup } from './groups.ts'

/** The file of a group without an IOMMU (drivers/vfio/group.c). */
export function noIommuGroupPath(group: number): string {
  return `/dev/vfio/noiommu-${group}`
}

/**
 * Refuses a device that no IOMMU stands in front of, where one is needed.
 *
 * @throws {@link OpenbarError} `ERR_NO_IOMMU`, with what to switch on.
 */
export function assertTranslated({ address, group }: Attachable): void {
  if (!existsSync(noIommuGroupPath(group))) return
  throw new OpenbarError('ERR_NO_IOMMU', {
    message: `${address} stands behind no IOMMU: its group, ${group}, is VFIO's unsafe no-IOMMU mode.`,
    hint: "Switch the IOMMU on (firmware; kernel command line: intel_iommu=on, amd_iommu=on). Only where every program and device may reach all memory: Domain.open({ backend: 'unsafe-noiommu' }).",
    context: { address },
  })
}

/**
 * Refuses a device that an IOMMU stands in front of, where physical addresses are needed: for whoever binds a device before it joins
 * a domain on `unsafe-noiommu`.
 *
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED`, with what to open instead.
 *
 * @example
 * ```ts
 * assertUntranslated({ address: '0000:00:02.0', group: 1 })
 * ```
 */
export function assertUntranslated({ address, group }: Pick<Attachable, 'address' | 'group'>): void {
  const { noIommu, devices } = readGroup(group)
  // A group without devices is none: the device was unbound.
  if (noIommu || devices.length === 0) return
  throw new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${address} stands behind an IOMMU, in group ${group}: it cannot join a domain without one.`,
    hint: 'Open a domain that the IOMMU translates for: Domain.open().',
    context: { what: 'no-IOMMU mode behind an IOMMU' },
  })
}
