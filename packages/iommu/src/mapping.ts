import type { DmaAccess } from './access.ts'

/** Memory of this process that can be mapped: a `MappedMemory`, or pages of the caller's own by address and size. */
export interface MappableMemory {
  /** Where it stands in this process; a multiple of the page size. */
  readonly address: number | bigint
  /** Bytes; a multiple of the page size. */
  readonly size: number
}

/** A piece of memory that the devices of a domain can reach. */
export interface Mapping {
  /** The first address, as the device sees it. */
  readonly iova: bigint
  /** The last address, as the device sees it. */
  readonly last: bigint
  /** Bytes. */
  readonly size: number
  /** What devices may do. */
  readonly access: DmaAccess
  /** What is mapped. */
  readonly memory: MappableMemory
}
