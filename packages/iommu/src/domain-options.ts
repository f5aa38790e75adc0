import type { HugepageSize } from '@openbar/linux'
import type { DmaAccess } from './access.ts'
import type { BackendName } from './backend/backend.ts'
import type { RlimitMode } from './iommufd/options.ts'
import type { Iova } from './iova.ts'

/** How to open a domain. */
export interface DomainOptions {
  /**
   * The kernel interface to stand on. `auto`, the default: iommufd where the kernel has it, else type1. The others have to be
   * named; `unsafe-noiommu` lets devices reach all of the machine's memory.
   */
  readonly backend?: BackendName | 'auto'
  /** Gives an iommufd domain a context of its own, so that it can be handed over. `false` by default. */
  readonly isolated?: boolean
  /**
   * Whose pinned memory counts against RLIMIT_MEMLOCK on iommufd, for an isolated domain and on `iommufd-compat`: all of the user's, or
   * each process's own. The latter needs CAP_SYS_RESOURCE, and makes no difference on type1, which always counts so. As the kernel does by
   * default, `user`, when left out.
   */
  readonly rlimitMode?: RlimitMode
}

/** Where to map memory, and with which rights. */
export interface MapOptions {
  /** The first address, as devices shall see it; a multiple of the page size. */
  readonly iova: Iova
  /** What devices may do; `read-write` by default. */
  readonly access?: DmaAccess
}

/** Which free address to pick. */
export interface PickOptions {
  /** A power of two in bytes that the picked address is a multiple of; the page size by default. */
  readonly align?: number
  /** The last address that the memory may cover, for a device that drives fewer address lines than 64. */
  readonly maxIova?: Iova
}

/** What DMA memory shall be like. */
export interface AllocateOptions extends PickOptions {
  /** The first address, as devices shall see it; picked from what is free when left out. */
  readonly iova?: Iova
  /** What devices may do; `read-write` by default. */
  readonly access?: DmaAccess
  /**
   * Pages of the kernel's pool of hugepages, of this size: fewer entries for the IOMMU to look up. The size is rounded up to
   * whole ones. `prefer` takes those of 2 MiB where the pool has enough, and plain pages otherwise: `buffer.pageSize` says which.
   */
  readonly hugepages?: HugepageSize | 'prefer'
  /** Makes the memory a memfd, `buffer.memory.fd`, that other processes can map. `false` by default. */
  readonly shared?: boolean
}
