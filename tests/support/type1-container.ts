import {
  closeFd,
  type Fd,
  ioctl,
  openFd,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_GROUP_UNSET_CONTAINER,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
} from '@openbar/linux'
import { bindDriver, readFunction } from '@openbar/pci'
import type { Memory } from './iommufd.ts'

/** A type1 container made by hand, without a domain. */
export interface Type1Container extends AsyncDisposable {
  readonly fd: Fd<'container'>
  /** Puts the group of the device into the container, which then has its IOMMU. */
  join(): void
  /** Takes the group out again. */
  leave(): void
  map(memory: Memory, iova: bigint): void
  unmap(iova: bigint, size: number): void
}

/** Opens a container and the group of a PCI device, bound to vfio-pci. Disposing closes and unbinds all. */
export async function openContainer(address: string): Promise<Type1Container> {
  await using opening = new AsyncDisposableStack()
  opening.use(await bindDriver(address, 'vfio-pci'))
  const fd = openFd<'container'>('/dev/vfio/vfio')
  opening.defer(() => closeFd(fd))
  const group = openFd<'group'>(`/dev/vfio/${readFunction(address).iommuGroup}`)
  opening.defer(() => closeFd(group))
  const opened = opening.move()
  return {
    fd,
    join() {
      ioctl(group, VFIO_GROUP_SET_CONTAINER, new Uint8Array(Int32Array.of(fd).buffer), 'the group')
      ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU, 'the container')
    },
    leave() {
      ioctl(group, VFIO_GROUP_UNSET_CONTAINER, undefined, 'the group')
    },
    map(memory, iova) {
      const map = vfioIommuType1DmaMap.allocate()
      map.argsz = vfioIommuType1DmaMap.size
      map.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE
      map.vaddr = memory.address
      map.iova = iova
      map.size = BigInt(memory.size)
      ioctl(fd, VFIO_IOMMU_MAP_DMA, map, 'the container')
    },
    unmap(iova, size) {
      const unmap = vfioIommuType1DmaUnmap.allocate()
      unmap.argsz = vfioIommuType1DmaUnmap.size
      unmap.iova = iova
      unmap.size = BigInt(size)
      ioctl(fd, VFIO_IOMMU_UNMAP_DMA, unmap, 'the container')
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
