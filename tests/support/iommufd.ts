import type { DmaAccess, IommufdAddressSpace } from '@openbar/iommu'
import {
  closeFd,
  type Fd,
  IOMMU_DESTROY,
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IOMMU_IOAS_UNMAP,
  ioctl,
  iommuDestroy,
  iommuIoasAlloc,
  iommuIoasMap,
  iommuIoasUnmap,
  type MappedMemory,
  openFd,
} from '@openbar/linux'

/** An iommufd context made by hand, without a domain. Disposing closes it, and the kernel clears up what it held. */
export interface IommufdContext extends Disposable {
  readonly fd: Fd<'iommufd'>
}

export function openIommufd(): IommufdContext {
  const fd = openFd<'iommufd'>('/dev/iommu')
  return { fd, [Symbol.dispose]: () => closeFd(fd) }
}

export function allocateSpace(fd: Fd<'iommufd'>): IommufdAddressSpace {
  const command = iommuIoasAlloc.allocate()
  command.size = iommuIoasAlloc.size
  ioctl(fd, IOMMU_IOAS_ALLOC, command, '/dev/iommu')
  return { fd, ioas: command.out_ioas_id }
}

/** Memory of this process: a `MappedMemory`, or a part of one. */
export type Memory = Pick<MappedMemory, 'address' | 'size'>

export function mapIn(
  space: IommufdAddressSpace,
  memory: Memory,
  iova: bigint,
  access: DmaAccess = 'read-write',
): void {
  const command = iommuIoasMap.allocate()
  command.size = iommuIoasMap.size
  command.flags =
    IOMMU_IOAS_MAP_FIXED_IOVA |
    (access === 'write' ? 0 : IOMMU_IOAS_MAP_READABLE) |
    (access === 'read' ? 0 : IOMMU_IOAS_MAP_WRITEABLE)
  command.ioas_id = space.ioas
  command.user_va = memory.address
  command.length = BigInt(memory.size)
  command.iova = iova
  ioctl(space.fd, IOMMU_IOAS_MAP, command, `0x${iova.toString(16)}`)
}

/** @returns The bytes that were unmapped. */
export function unmapIn(space: IommufdAddressSpace, iova: bigint, size: number | bigint): number {
  const command = iommuIoasUnmap.allocate()
  command.size = iommuIoasUnmap.size
  command.ioas_id = space.ioas
  command.iova = iova
  command.length = BigInt(size)
  ioctl(space.fd, IOMMU_IOAS_UNMAP, command, `0x${iova.toString(16)}`)
  return Number(command.length)
}

export function destroyIn(fd: Fd<'iommufd'>, id: number): void {
  const command = iommuDestroy.allocate()
  command.size = iommuDestroy.size
  command.id = id
  ioctl(fd, IOMMU_DESTROY, command, `object ${id}`)
}
