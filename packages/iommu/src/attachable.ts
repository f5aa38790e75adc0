import type { Fd } from '@openbar/linux'

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
}

/**
 * A device's place in a domain. The device can be reached through {@link Attachment.fd} only while it is held.
 */
export interface Attachment {
  /** The VFIO device. It belongs to the attachment: do not close it. */
  readonly fd: Fd<'device'>
  /**
   * Takes the device out of the domain and closes its fd. The caller has stopped its DMA and let go of its regions
   * before. Further calls do nothing.
   */
  detach(): void
}
