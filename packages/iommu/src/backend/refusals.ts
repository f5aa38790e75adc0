import { OpenbarError } from '@openbar/linux'
import type { BackendName } from './backend.ts'

/** A backend that cannot move devices in one step says so; whoever asks looks at `replaceable` first. */
export function refuseReplace(backend: BackendName): never {
  throw new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `A device cannot be moved out of a domain on ${backend} in one step.`,
    hint: 'Take it out, and let it into the other domain.',
    context: { what: 'replacing a domain' },
  })
}

/** A device that has no page table of iommufd's says so. */
export function refusePageTable(): never {
  throw new OpenbarError('ERR_NOT_SUPPORTED', {
    message: 'Page tables can be chosen on iommufd alone.',
    hint: "Open the domain there: Domain.open({ backend: 'iommufd' }).",
    context: { what: 'page tables' },
  })
}

/** A backend that cannot tell what devices have written says so. */
export function refuseDirtyTracking(backend: BackendName): never {
  throw new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `A domain on ${backend} has no dirty tracking.`,
    hint: "Open it on another backend: 'iommufd', where the IOMMU tracks, or 'type1'.",
    context: { what: 'dirty tracking' },
  })
}
