import type { Fd, InclusiveRange } from '@openbar/linux'
import type { DmaAccess } from '../access.ts'
import type { Attachable } from '../attachable.ts'
import type { DirtyTracking } from '../dirty/dirty-tracking.ts'
import type { IommufdAddressSpace } from '../iommufd/address-space.ts'
import type { PageTable } from '../iommufd/page-table.ts'
import type { Mapping } from '../mapping.ts'

/**
 * The kernel interfaces that a domain can stand on.
 *
 * - `iommufd`: an I/O address space of /dev/iommu; devices by their own character devices.
 * - `type1`: a VFIO container, /dev/vfio/vfio, with the type1 IOMMU, version 2; devices through their groups.
 * - `iommufd-compat`: /dev/iommu in the place of a container; devices through their groups.
 * - `unsafe-noiommu`: none at all. Devices reach all of the machine's memory.
 */
export type BackendName = 'iommufd' | 'type1' | 'iommufd-compat' | 'unsafe-noiommu'

/** A mapping, as the kernel is asked to make it. Addresses are numbers, which are exact for multiples of a page. */
export interface MappingRequest {
  /** The first IOVA. */
  readonly start: number
  /** Bytes. */
  readonly size: number
  /** Where the memory stands in this process. */
  readonly address: number
  readonly access: DmaAccess
}

/** A device in a backend. */
export interface BackendAttachment {
  readonly fd: Fd<'device'>
  /** The kernel's number for the device in its iommufd context; `undefined` on other backends. */
  readonly deviceId: number | undefined
  /** Throws `ERR_DOMAIN_STATE` while the device may still write to memory that is about to be given back: without an IOMMU. */
  assertAtRest(): void
  /** Has the device's group translated by a page table of an iommufd, or by the kernel's own again; `ERR_NOT_SUPPORTED` elsewhere. */
  usePageTable(table: PageTable | undefined): void
  /** Takes the device out and closes its fd. Called once. */
  detach(): void
}

/**
 * The kernel's side of a domain. It keeps no books of mappings: the domain does, and says them again when asked.
 */
export interface Backend {
  readonly name: BackendName
  /** Whether mappings are made in the kernel now; false while a type1 container has no device yet. */
  readonly ready: boolean
  /**
   * What a device's file is tied to once it was let in, for as long as it is open: the iommufd context, or the container. Backends
   * with the same one can use the same file.
   */
  readonly home: object
  /** The open /dev/iommu or container; it belongs to the backend. */
  readonly file: Fd
  /** Whether it belongs to somebody else, who handed it over: what is mapped stays so when it is closed here. */
  readonly borrowed: boolean
  /** Whether an IOMMU translates what its devices ask for; false without one. */
  readonly translates: boolean
  /** Smallest unit of mapping in bytes. */
  readonly alignment: number
  /** How many mappings more the kernel would take now; `undefined` where it sets no limit, or cannot tell. */
  readonly mappingsLeft: number | undefined
  /** The ranges that devices can reach now, ascending; `undefined` when the kernel cannot tell before a device joins. */
  ranges(): readonly InclusiveRange[] | undefined
  map(request: MappingRequest): void
  /** @returns The bytes removed, as the kernel says. Without an IOMMU `ERR_DOMAIN_STATE` while a device is bus master. */
  unmap(start: number, size: number): number
  /**
   * Lets a device in.
   *
   * @param onReady - Called when the backend became ready through this device and before the device can be used:
   *   makes the mappings that were remembered. When it throws, the device is not let in.
   */
  attach(device: Attachable, onReady: () => void): BackendAttachment
  /**
   * Whether {@link Backend.replace} can move the devices of a group to another backend: both are address spaces of one iommufd
   * context, and the driver of the IOMMU makes the other's page table before it attaches the first device.
   */
  replaceable(other: Backend, group: readonly BackendAttachment[]): boolean
  /**
   * Moves the devices of a group to another backend's address space, in one step: at no time is one in none. When it throws,
   * nothing has changed.
   */
  replace(group: readonly BackendAttachment[], other: Backend): void
  /** The address space in iommufd's terms; `undefined` on other backends. */
  readonly iommufd: IommufdAddressSpace | undefined
  /** Tells which pages devices have written; always the same object. `ERR_NOT_SUPPORTED` where nothing can. */
  dirtyTracking(devices: () => readonly BackendAttachment[], mappings: () => readonly Mapping[]): DirtyTracking
  /** Gives everything back to the kernel. Only without devices. */
  close(): void
}
