import type { InclusiveRange } from '@openbar/linux'
import type { DmaAccess } from '../access.ts'
import type { Attachable, Attachment } from '../attachable.ts'

/** The kernel interfaces that a domain can stand on. */
export type BackendName = 'iommufd' | 'type1'

/** A mapping, as the kernel is asked to make it. */
export interface MappingRequest {
  readonly iova: bigint
  /** Bytes. */
  readonly size: bigint
  /** Where the memory stands in this process. */
  readonly address: bigint
  readonly access: DmaAccess
}

/**
 * The kernel's side of a domain. It keeps no books of mappings: the domain does, and says them again when asked.
 */
export interface Backend {
  readonly name: BackendName
  /** Whether mappings are made in the kernel now; false while a type1 container has no device yet. */
  readonly ready: boolean
  /** The ranges that devices can reach now, ascending; `undefined` when the kernel cannot tell before a device joins. */
  ranges(): readonly InclusiveRange[] | undefined
  /** Smallest unit of mapping in bytes. */
  readonly alignment: bigint
  map(request: MappingRequest): void
  /** @returns The bytes removed, as the kernel says. */
  unmap(iova: bigint, size: bigint): bigint
  /**
   * Lets a device in.
   *
   * @param onReady - Called when the backend became ready through this device and before the device can be used:
   *   makes the mappings that were remembered. When it throws, the device is not let in.
   */
  attach(device: Attachable, onReady: () => void): Attachment
  /** Gives everything back to the kernel. Only without devices. */
  close(): void
}
