import {
  closeFd,
  Errno,
  type Fd,
  type InclusiveRange,
  ioctlFixed,
  OpenbarError,
  openFd,
  syscallError,
  tryIoctl,
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_GET_API_VERSION,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
} from '@openbar/linux'
import { deviceReads, deviceWrites } from '../access.ts'
import type { Attachable } from '../attachable.ts'
import type { DirtyTracking } from '../dirty/dirty-tracking.ts'
import { Type1DirtyTracking } from '../dirty/type1-dirty-tracking.ts'
import { unsafeInterruptsError } from '../groups/group-handle.ts'
import { formatRange } from '../iova.ts'
import { readU64, writeU64 } from '../words.ts'
import type { Backend, BackendAttachment, MappingRequest } from './backend.ts'
import { openCompatContainer } from './compat-container.ts'
import { GroupContainer } from './group-container.ts'
import { mapError } from './map-error.ts'
import { refuseDirtyTracking, refuseReplace } from './refusals.ts'
import { readType1Info, type Type1Info } from './type1-info.ts'

const CONTAINER = '/dev/vfio/vfio'
const DEFAULT_ALIGNMENT = 4096

// Made once, and written anew for each call: see `ioctlFixed`.
const mapRequest = vfioIommuType1DmaMap.fixed()
mapRequest.argsz = vfioIommuType1DmaMap.size
const unmapRequest = vfioIommuType1DmaUnmap.fixed()
unmapRequest.argsz = vfioIommuType1DmaUnmap.size
const MAP_FLAGS = vfioIommuType1DmaMap.fields.flags[1]
const MAP_VADDR = vfioIommuType1DmaMap.fields.vaddr[1]
const MAP_IOVA = vfioIommuType1DmaMap.fields.iova[1]
const MAP_SIZE = vfioIommuType1DmaMap.fields.size[1]
const UNMAP_IOVA = vfioIommuType1DmaUnmap.fields.iova[1]
const UNMAP_SIZE = vfioIommuType1DmaUnmap.fields.size[1]

/**
 * A domain on the type1 interface, version 2: on a VFIO container, or on an iommufd that stands in for one.
 *
 * A container has no page table before its first group is set and its IOMMU chosen, and loses it with the last one; an
 * iommufd's address space is there from the start.
 *
 * @see linux/vfio.h, "API for Type1 VFIO IOMMU"; Documentation/driver-api/vfio.rst
 */
export class Type1Backend implements Backend {
  readonly name: 'type1' | 'iommufd-compat'
  readonly translates = true
  readonly iommufd = undefined
  readonly #container: GroupContainer
  /** Whether the page table is there without a group. */
  readonly #lasting: boolean
  #onReady: () => void = () => {}
  #tracking: DirtyTracking | undefined

  /** @throws {@link OpenbarError} `ERR_NO_BACKEND`, `ERR_PERMISSION`. */
  constructor(name: 'type1' | 'iommufd-compat') {
    this.name = name
    this.#lasting = name === 'iommufd-compat'
    const fd = this.#lasting ? openCompatContainer() : openContainer()
    this.#container = new GroupContainer(fd, (group, first) => {
      if (!first || this.#lasting) return
      setIommu(fd, group)
      this.#onReady()
    })
  }

  get ready(): boolean {
    return this.#lasting || !this.#container.empty
  }

  get alignment(): number {
    return this.#info?.alignment ?? DEFAULT_ALIGNMENT
  }

  get mappingsLeft(): number | undefined {
    // An iommufd says 65535 to please old programs, and takes more.
    return this.#lasting ? undefined : this.#info?.mappingsLeft
  }

  ranges(): readonly InclusiveRange[] | undefined {
    return this.#info?.ranges
  }

  map(request: MappingRequest): void {
    const { view } = mapRequest
    const { access } = request
    const flags =
      (deviceReads(access) ? VFIO_DMA_MAP_FLAG_READ : 0) | (deviceWrites(access) ? VFIO_DMA_MAP_FLAG_WRITE : 0)
    view.setUint32(MAP_FLAGS, flags, true)
    writeU64(view, MAP_VADDR, request.address)
    writeU64(view, MAP_IOVA, request.start)
    writeU64(view, MAP_SIZE, request.size)
    const result = ioctlFixed(this.#container.fd, VFIO_IOMMU_MAP_DMA, mapRequest)
    if (result < 0) throw mapError('ioctl(VFIO_IOMMU_MAP_DMA)', -result, request)
  }

  unmap(start: number, size: number): number {
    const { view } = unmapRequest
    writeU64(view, UNMAP_IOVA, start)
    writeU64(view, UNMAP_SIZE, size)
    const result = ioctlFixed(this.#container.fd, VFIO_IOMMU_UNMAP_DMA, unmapRequest)
    if (result < 0) throw syscallError('ioctl(VFIO_IOMMU_UNMAP_DMA)', -result, formatRange(BigInt(start), BigInt(size)))
    return readU64(view, UNMAP_SIZE)
  }

  attach(device: Attachable, onReady: () => void): BackendAttachment {
    this.#onReady = onReady
    try {
      return this.#container.attach(device)
    } finally {
      this.#onReady = () => {}
    }
  }

  replaceable(): boolean {
    return false
  }

  replace(): never {
    return refuseReplace(this.name)
  }

  dirtyTracking(): DirtyTracking {
    if (this.#lasting) refuseDirtyTracking(this.name)
    this.#tracking ??= new Type1DirtyTracking(this.#container.fd)
    return this.#tracking
  }

  close(): void {
    this.#container.close()
  }

  /** Asked anew each time, for each device that comes or goes may change it; `undefined` without a page table. */
  get #info(): Type1Info | undefined {
    return this.ready ? readType1Info(this.#container.fd) : undefined
  }
}

function openContainer(): Fd<'container'> {
  const fd = openFd<'container'>(CONTAINER)
  const version = tryIoctl(fd, VFIO_GET_API_VERSION)
  const type1 = tryIoctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU)
  if (version === VFIO_API_VERSION && type1 === 1) return fd
  closeFd(fd)
  throw new OpenbarError('ERR_NO_BACKEND', {
    message: `${CONTAINER} offers no type1 IOMMU, version 2.`,
    hint: 'Load it: modprobe vfio_iommu_type1.',
    context: { backend: 'type1' },
  })
}

function setIommu(container: Fd<'container'>, group: number): void {
  const result = tryIoctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)
  if (result >= 0) return
  if (result === -Errno.EPERM) throw unsafeInterruptsError(group)
  throw syscallError('ioctl(VFIO_SET_IOMMU)', -result, CONTAINER)
}
