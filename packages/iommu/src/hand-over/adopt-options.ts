import type { DmaAccess } from '../access.ts'
import type { BackendName } from '../backend/backend.ts'
import type { Iova } from '../iova.ts'

/** What was mapped in a domain before it was handed over. */
export interface AdoptedMapping {
  /** The first address, as devices see it. */
  readonly iova: Iova
  /** Bytes. */
  readonly size: number
  /** What devices may do. */
  readonly access: DmaAccess
}

interface AdoptedMappings {
  /** What is mapped already; nothing by default. It stays mapped when the domain is closed here, unless it is unmapped before. */
  readonly mappings?: readonly AdoptedMapping[]
}

/** An address space that somebody else has made, as open files. */
export type AdoptOptions = AdoptedMappings &
  (
    | {
        readonly backend: 'iommufd'
        /** The open /dev/iommu. It belongs to the domain from then on. */
        readonly fd: number
        /** The kernel's number of the address space. */
        readonly ioas: number
        /**
         * Has the domains that this process opens later share the context: for a process that may not open /dev/iommu itself.
         * `false` by default.
         */
        readonly shared?: boolean
      }
    | {
        readonly backend: 'type1' | 'iommufd-compat'
        /** The open container, with at least one group in it. It belongs to the domain from then on. */
        readonly fd: number
      }
  )

/** The backends whose domains can be handed over. */
export const ADOPTABLE: readonly BackendName[] = ['iommufd', 'type1', 'iommufd-compat']
