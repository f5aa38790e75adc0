import {
  asFd,
  closeFd,
  type Fd,
  IOMMU_VFIO_IOAS,
  IOMMU_VFIO_IOAS_SET,
  ioctl,
  iommuVfioIoas,
  openFd,
  VFIO_SET_IOMMU,
  VFIO_TYPE1v2_IOMMU,
} from '@openbar/linux'
import { allocateIoas } from '../iommufd/allocate-ioas.ts'
import { type RlimitMode, setRlimitMode } from '../iommufd/options.ts'

const IOMMUFD = '/dev/iommu'

/**
 * An iommufd that answers the requests of a VFIO container, for an address space of its own.
 *
 * @see linux/iommufd.h, `struct iommu_vfio_ioas`; drivers/iommu/iommufd/vfio_compat.c
 */
export function openCompatContainer(mode?: RlimitMode): Fd<'container'> {
  const fd = openFd<'iommufd'>(IOMMUFD)
  try {
    if (mode !== undefined) setRlimitMode(fd, mode)
    const choose = iommuVfioIoas.allocate()
    choose.size = iommuVfioIoas.size
    choose.ioas_id = allocateIoas(fd)
    choose.op = IOMMU_VFIO_IOAS_SET
    ioctl(fd, IOMMU_VFIO_IOAS, choose, IOMMUFD)
    const container = asFd<'container'>(fd)
    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU, IOMMUFD)
    return container
  } catch (error) {
    closeFd(fd)
    throw error
  }
}
