import type { Fd } from '@openbar/linux'

/** An open /dev/iommu. `fd` may throw `ERR_CLOSED` once it was closed. */
export interface IommufdContextHandle {
  readonly fd: Fd<'iommufd'>
}

/**
 * An I/O address space (IOAS) of an iommufd context: what mappings are made in, and page tables are made from.
 *
 * @see linux/iommufd.h, `struct iommu_ioas_alloc`
 *
 * @example
 * ```ts
 * const space: IommufdAddressSpace = { fd: openFd<'iommufd'>('/dev/iommu'), ioas: 1 }
 * ```
 */
export interface IommufdAddressSpace extends IommufdContextHandle {
  /** The kernel's number of the address space. */
  readonly ioas: number
}
