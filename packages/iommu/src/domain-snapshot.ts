import type { InclusiveRange } from '@openbar/linux'
import type { DmaAccess } from './access.ts'
import type { BackendName } from './backend/backend.ts'

/** A mapping, as a snapshot shows it. */
export interface MappingSnapshot {
  /** The first address, as devices see it. */
  readonly iova: bigint
  /** Bytes. */
  readonly size: number
  /** What devices may do. */
  readonly access: DmaAccess
  /** `mapped` in the kernel; `remembered` until a type1 container's first device comes; `unprotected` without an IOMMU. */
  readonly state: 'mapped' | 'remembered' | 'unprotected'
  /** `buffer` for memory that `allocate` made, `mapping` for what the caller mapped. */
  readonly kind?: 'buffer' | 'mapping'
}

/** The state of a domain at one moment. */
export interface DomainSnapshot {
  /** Tells the domains of a process apart; the first one is 1. */
  readonly id: number
  /** The kernel interface that it stands on. */
  readonly backend: BackendName
  /** `open`; `closing` when the caller has closed it and devices still hold it; `closed`. */
  readonly state: 'open' | 'closing' | 'closed'
  /** PCI addresses of the devices in the domain. */
  readonly devices: readonly string[]
  /** The ranges that devices can reach; `undefined` while the kernel cannot tell, before a type1 container's first device. */
  readonly ranges: readonly InclusiveRange[] | undefined
  /** Ascending by IOVA. */
  readonly mappings: readonly MappingSnapshot[]
  /** Bytes that the kernel holds pinned for the domain's mappings. */
  readonly pinnedBytes: number
  /** What the kernel would still allow. */
  readonly limits: {
    /** How many more mappings the kernel allows; `undefined` where there is no limit or it is not known. */
    readonly mappingsLeft: number | undefined
  }
}
