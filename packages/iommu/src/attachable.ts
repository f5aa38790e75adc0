import type { Fd } from '@openbar/linux'
import type { Domain } from './domain.ts'
import type { GivenDevice } from './hand-over/given-device.ts'
import type { PageTable } from './iommufd/page-table.ts'

/**
 * What a domain has to know of a device that joins it. `Device` of `@openbar/vfio` implements it.
 *
 * @example
 * ```ts
 * const attachment = domain.attach({ address: '0000:00:02.0', group: 1, cdev: undefined })
 * ```
 */
export interface Attachable {
  /** PCI address, such as `0000:00:02.0`. */
  readonly address: string
  /** Number of the device's IOMMU group. */
  readonly group: number
  /** Path of the device's VFIO character device, such as `/dev/vfio/devices/vfio0`; `undefined` where there is none. */
  readonly cdev: string | undefined
  /** How many bits of an address the device drives, where that is fewer than 64: the domain picks IOVAs below. */
  readonly addressBits?: number | undefined
  /** The device's file, where somebody else has opened it; left open when the device leaves. */
  readonly given?: GivenDevice | undefined
  /** The token that the users of an SR-IOV function's physical and virtual functions share, a UUID; `undefined` for none. */
  readonly vfToken?: string | undefined
  /**
   * Called when the device's group is about to move to another domain by way of none: stops the device's DMA and lets go of its
   * regions. Its fd is closed afterwards.
   */
  leaving?(): void
  /** Called after {@link Attachable.leaving}, when the device is in the other domain, with its new place there. */
  arrived?(attachment: Attachment): void
}

/**
 * A device's place in a domain. The device can be reached through {@link Attachment.fd} only while it is held.
 */
export interface Attachment {
  /** The VFIO device. It belongs to the attachment: do not close it. */
  readonly fd: Fd<'device'>
  /** The domain that the device is in. Another one once its group was moved in one step. */
  readonly domain: Domain
  /** The kernel's number for the device in its iommufd context; `undefined` on other backends. */
  readonly deviceId: number | undefined
  /**
   * Has the device's group translated by a page table of the domain's address space, or, without one, by the table that the kernel
   * makes by itself. It is one step: at no time is the device without a table.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` on backends other than iommufd; `ERR_CLOSED` for a table that was closed;
   *   `ERR_SYSCALL` when the kernel refuses; nothing is changed then.
   */
  usePageTable(table: PageTable | undefined): void
  /**
   * Takes the device out of the domain and closes its fd. The caller has stopped its DMA and let go of its regions
   * before. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` without an IOMMU, while the device is bus master; it stays in then.
   */
  detach(): void
}
