import type { BackendName } from '@openbar/iommu'

/** What tests have to know of a backend; everything else is the same on all. */
export interface BackendDifferences {
  /** Whether an IOMMU stands between the devices and the memory; without one nothing can be mapped. */
  readonly translates: boolean
  /** How many mappings the kernel takes, where it has a limit of its own. */
  readonly mappingLimit: number | undefined
  /** The line of `/proc/self/status` in which the kernel counts what a domain has pinned. */
  readonly counts: 'VmLck' | 'VmPin'
}

const differences: Readonly<Record<BackendName, BackendDifferences>> = {
  iommufd: { translates: true, mappingLimit: undefined, counts: 'VmPin' },
  'iommufd-compat': { translates: true, mappingLimit: undefined, counts: 'VmPin' },
  type1: { translates: true, mappingLimit: 65_535, counts: 'VmLck' },
  'unsafe-noiommu': { translates: false, mappingLimit: undefined, counts: 'VmLck' },
}

export function differencesOf(backend: BackendName): BackendDifferences {
  return differences[backend]
}

/** Those of the backends whose domains map memory. */
export function translating(backends: readonly BackendName[]): readonly BackendName[] {
  return backends.filter((backend) => differencesOf(backend).translates)
}
