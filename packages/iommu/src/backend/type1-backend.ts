import {
  closeFd,
  Errno,
  type Fd,
  type InclusiveRange,
  infoCapabilities,
  ioctl,
  OpenbarError,
  openFd,
  queryInfo,
  syscallError,
  tryIoctl,
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_GET_API_VERSION,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
  vfioIommuType1Info,
} from '@openbar/linux'
import { deviceReads, deviceWrites } from '../access.ts'
import type { Attachable, Attachment } from '../attachable.ts'
import { GroupHandle, unsafeInterruptsError } from '../groups/group-handle.ts'
import { formatRange } from '../iova.ts'
import type { Backend, MappingRequest } from './backend.ts'
import { mapError } from './map-error.ts'

const CONTAINER = '/dev/vfio/vfio'
const DEFAULT_ALIGNMENT = 4096n

/** A group in this container, and how many of its devices are open. */
interface Member {
  readonly group: GroupHandle
  devices: number
}

/**
 * A domain on a VFIO container with the type1 IOMMU, version 2.
 *
 * The container has no page table before its first group is set and its IOMMU chosen, and loses it with the last one.
 *
 * @see linux/vfio.h, "VFIO Group / container"; Documentation/driver-api/vfio.rst
 */
export class Type1Backend implements Backend {
  readonly name = 'type1'
  readonly #container: Fd<'container'>
  readonly #members = new Map<number, Member>()
  #ranges: readonly InclusiveRange[] | undefined
  #alignment = DEFAULT_ALIGNMENT

  /** @throws {@link OpenbarError} `ERR_NO_BACKEND`, `ERR_PERMISSION`. */
  constructor() {
    this.#container = openFd(CONTAINER)
    const version = tryIoctl(this.#container, VFIO_GET_API_VERSION)
    const type1 = tryIoctl(this.#container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU)
    if (version === VFIO_API_VERSION && type1 === 1) return
    closeFd(this.#container)
    throw new OpenbarError('ERR_NO_BACKEND', {
      message: `${CONTAINER} offers no type1 IOMMU, version 2.`,
      hint: 'Load it: modprobe vfio_iommu_type1.',
      context: { backend: 'type1' },
    })
  }

  get ready(): boolean {
    return this.#members.size > 0
  }

  get alignment(): bigint {
    return this.#alignment
  }

  ranges(): readonly InclusiveRange[] | undefined {
    return this.#ranges
  }

  map(request: MappingRequest): void {
    const map = vfioIommuType1DmaMap.allocate()
    map.argsz = vfioIommuType1DmaMap.size
    map.flags =
      (deviceReads(request.access) ? VFIO_DMA_MAP_FLAG_READ : 0) |
      (deviceWrites(request.access) ? VFIO_DMA_MAP_FLAG_WRITE : 0)
    map.vaddr = request.address
    map.iova = request.iova
    map.size = request.size
    const result = tryIoctl(this.#container, VFIO_IOMMU_MAP_DMA, map)
    if (result < 0) throw mapError('ioctl(VFIO_IOMMU_MAP_DMA)', -result, request)
  }

  unmap(iova: bigint, size: bigint): bigint {
    const unmap = vfioIommuType1DmaUnmap.allocate()
    unmap.argsz = vfioIommuType1DmaUnmap.size
    unmap.iova = iova
    unmap.size = size
    ioctl(this.#container, VFIO_IOMMU_UNMAP_DMA, unmap, formatRange(iova, size))
    return unmap.size
  }

  attach(device: Attachable, onReady: () => void): Attachment {
    const member = this.#join(device, onReady)
    let fd: Fd<'device'>
    try {
      fd = member.group.openDevice(device.address)
    } catch (error) {
      this.#leaveWhenEmpty(member)
      throw error
    }
    member.devices += 1
    let attached = true
    return {
      fd,
      detach: () => {
        if (!attached) return
        attached = false
        // The kernel refuses to take a group out of its container while a device fd of it is open.
        closeFd(fd)
        member.devices -= 1
        this.#leaveWhenEmpty(member)
      },
    }
  }

  close(): void {
    closeFd(this.#container)
  }

  #join(device: Attachable, onReady: () => void): Member {
    const present = this.#members.get(device.group)
    if (present !== undefined) return present
    const member: Member = { group: GroupHandle.open(device), devices: 0 }
    try {
      member.group.setContainer(this.#container)
    } catch (error) {
      member.group.close()
      throw error
    }
    const first = this.#members.size === 0
    this.#members.set(device.group, member)
    try {
      if (first) this.#setIommu(device.group)
      this.#readLimits()
      if (first) onReady()
    } catch (error) {
      this.#leaveWhenEmpty(member)
      throw error
    }
    return member
  }

  #leaveWhenEmpty(member: Member): void {
    if (member.devices > 0) return
    this.#members.delete(member.group.id)
    try {
      member.group.unsetContainer()
    } finally {
      member.group.close()
    }
    if (this.#members.size > 0) {
      this.#readLimits()
    } else {
      this.#ranges = undefined
      this.#alignment = DEFAULT_ALIGNMENT
    }
  }

  #setIommu(group: number): void {
    const result = tryIoctl(this.#container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)
    if (result >= 0) return
    if (result === -Errno.EPERM) throw unsafeInterruptsError(group)
    throw syscallError('ioctl(VFIO_SET_IOMMU)', -result, CONTAINER)
  }

  #readLimits(): void {
    const info = queryInfo(this.#container, VFIO_IOMMU_GET_INFO, vfioIommuType1Info, CONTAINER)
    if ((info.flags & VFIO_IOMMU_INFO_PGSIZES) !== 0 && info.iova_pgsizes !== 0n) {
      this.#alignment = info.iova_pgsizes & -info.iova_pgsizes
    }
    const offset = (info.flags & VFIO_IOMMU_INFO_CAPS) === 0 ? 0 : info.cap_offset
    const capability = infoCapabilities(info.bytes, offset).find(
      ({ id }) => id === VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
    )
    this.#ranges = capability === undefined ? undefined : parseIovaRanges(capability.view)
  }
}

/** `struct vfio_iommu_type1_info_cap_iova_range`: nr_iovas (u32) at 8, then pairs of start and end (u64) from 16. */
function parseIovaRanges(view: DataView): InclusiveRange[] {
  const fits = Math.floor((view.byteLength - 16) / 16)
  if (fits <= 0) return []
  const count = Math.min(view.getUint32(8, true), fits)
  return Array.from({ length: count }, (_, index) => ({
    start: view.getBigUint64(16 + index * 16, true),
    last: view.getBigUint64(24 + index * 16, true),
  }))
}
