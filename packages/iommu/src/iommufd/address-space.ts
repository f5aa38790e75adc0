import { type Fd, isOpenbarError } from '@openbar/linux'

/**
 * An open /dev/iommu. Once it was closed, `fd` has to throw `ERR_CLOSED`: the number may be that of another file by then.
 */
export interface IommufdContextHandle {
  /** The open file. It belongs to whoever made the context. */
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

/** The context's file descriptor; `undefined` once it was closed, and the kernel has taken back all that was in it. */
export function fdUnlessClosed(context: IommufdContextHandle): Fd<'iommufd'> | undefined {
  try {
    return context.fd
  } catch (error) {
    if (isOpenbarError(error, 'ERR_CLOSED')) return undefined
    throw error
  }
}
