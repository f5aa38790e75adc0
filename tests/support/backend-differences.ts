import type { BackendName } from '@openbar/iommu'
import { describeLab } from '@openbar/lab/guest'
import type { ErrorCode } from '@openbar/linux'

/** What tests have to know of a backend; everything else is the same on all. */
export interface BackendDifferences {
  /** Whether an IOMMU stands between the devices and the memory; without one nothing can be mapped. */
  readonly translates: boolean
  /** How many mappings the kernel takes, where it has a limit of its own. */
  readonly mappingLimit: number | undefined
  /** The line of `/proc/self/status` in which the kernel counts what a domain has pinned. */
  readonly counts: 'VmLck' | 'VmPin'
  /** How a mapping stands in a snapshot while the domain has no device. */
  readonly withoutDevice: 'mapped' | 'remembered' | 'unprotected'
  /** Whether the ranges are known while the domain has no device. */
  readonly rangesWithoutDevice: boolean
  /** Whether a device moves between two domains of the process in one step, so that windows and interrupts stay. */
  readonly movesInOneStep: boolean
  /** What a device is refused with that could not reach all that its new domain has mapped. */
  readonly outOfReach: ErrorCode
  /** Whether a domain can map what another one has pinned. */
  readonly sharesMappings: boolean
  /** Whether page tables can be chosen. */
  readonly choosesPageTables: boolean
  /** Whether the domain tells what devices have written: it does, this IOMMU cannot, or the backend has no such thing. */
  readonly dirtyTracking: 'works' | 'not with this IOMMU' | 'none'
}

const { iommu } = describeLab()
/** Linux 6.12 makes a page table for a virtio IOMMU only while it attaches a device that is in no domain. */
const tablesAhead = iommu !== 'virtio'

const differences: Readonly<Record<BackendName, BackendDifferences>> = {
  iommufd: {
    translates: true,
    mappingLimit: undefined,
    counts: 'VmPin',
    withoutDevice: 'mapped',
    rangesWithoutDevice: true,
    movesInOneStep: tablesAhead,
    outOfReach: 'ERR_SYSCALL',
    sharesMappings: true,
    choosesPageTables: tablesAhead,
    dirtyTracking: 'not with this IOMMU',
  },
  'iommufd-compat': {
    translates: true,
    mappingLimit: undefined,
    counts: 'VmPin',
    withoutDevice: 'mapped',
    rangesWithoutDevice: true,
    movesInOneStep: false,
    outOfReach: 'ERR_SYSCALL',
    sharesMappings: false,
    choosesPageTables: false,
    dirtyTracking: 'none',
  },
  type1: {
    translates: true,
    mappingLimit: 65_535,
    counts: 'VmLck',
    withoutDevice: 'remembered',
    rangesWithoutDevice: false,
    movesInOneStep: false,
    outOfReach: 'ERR_IOVA_RANGE',
    sharesMappings: false,
    choosesPageTables: false,
    dirtyTracking: 'works',
  },
  'unsafe-noiommu': {
    translates: false,
    mappingLimit: undefined,
    counts: 'VmLck',
    withoutDevice: 'unprotected',
    rangesWithoutDevice: false,
    movesInOneStep: false,
    outOfReach: 'ERR_IOVA_RANGE',
    sharesMappings: false,
    choosesPageTables: false,
    dirtyTracking: 'none',
  },
}

export function differencesOf(backend: BackendName): BackendDifferences {
  return differences[backend]
}

/** Those of the backends whose domains map memory. */
export function translating(backends: readonly BackendName[]): readonly BackendName[] {
  return backends.filter((backend) => differencesOf(backend).translates)
}
