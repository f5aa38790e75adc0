import { existsSync } from 'node:fs'
import { OpenbarError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'

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
