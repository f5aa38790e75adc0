import { type Fd, IOMMU_IOAS_ALLOC, ioctl, iommuIoasAlloc } from '@openbar/linux'

/**
 * Makes a new, empty address space in an iommufd context.
 *
 * @returns The kernel's number of it.
 * @throws {@link OpenbarError} `ERR_SYSCALL`.
 * @see linux/iommufd.h, `struct iommu_ioas_alloc`
 */
export function allocateIoas(fd: Fd<'iommufd'>): number {
  const ioas = iommuIoasAlloc.allocate()
  ioas.size = iommuIoasAlloc.size
  ioctl(fd, IOMMU_IOAS_ALLOC, ioas, '/dev/iommu')
  return ioas.out_ioas_id
}
