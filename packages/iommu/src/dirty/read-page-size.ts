import {
  Errno,
  type Fd,
  infoCapabilities,
  OpenbarError,
  syscallError,
  tryQueryInfo,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION,
  vfioIommuType1Info,
} from '@openbar/linux'

const SYSCALL = 'ioctl(VFIO_IOMMU_GET_INFO)'

/**
 * Reads how large the pages are that a type1 container tracks, in bytes.
 *
 * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` for a container without a device; `ERR_NOT_SUPPORTED` for a kernel
 *   without dirty tracking; `ERR_SYSCALL`.
 * @see linux/vfio.h, `struct vfio_iommu_type1_info_cap_migration`: pgsize_bitmap (u64) at 16
 */
export function readPageSize(container: Fd<'container'>): number {
  const info = tryQueryInfo(container, VFIO_IOMMU_GET_INFO, vfioIommuType1Info)
  if (typeof info === 'number') {
    // An iommufd that stands in for a container says ENODEV.
    if (info !== -Errno.EINVAL && info !== -Errno.ENODEV) throw syscallError(SYSCALL, -info, 'the VFIO container')
    throw new OpenbarError('ERR_DOMAIN_STATE', {
      message: 'The VFIO container has no device, and so no dirty tracking.',
      hint: 'Start it after a device has joined, and again when the last one had left.',
      context: { state: 'without a device' },
      errno: -info,
      syscall: SYSCALL,
    })
  }
  const offset = (info.flags & VFIO_IOMMU_INFO_CAPS) === 0 ? 0 : info.cap_offset
  const capability = infoCapabilities(info.bytes, offset).find(({ id }) => id === VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION)
  if (capability === undefined || capability.view.byteLength < 32) {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: "This kernel's VFIO container has no dirty tracking.",
      hint: 'It came with Linux 5.8, and a container that iommufd stands in for lacks it.',
      context: { what: 'dirty tracking' },
    })
  }
  const sizes = capability.view.getBigUint64(16, true)
  // The kernel takes the smallest only.
  return Number(sizes & -sizes)
}
