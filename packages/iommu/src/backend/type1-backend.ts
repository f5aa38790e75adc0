import {
  closeFd,
  Errno,
  type Fd,
  type InclusiveRange,
  OpenbarError,
  openFd,
  syscallError,
  tryIoctl,
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_GET_API_VERSION,
  VFIO_SET_IOMMU,
  VFIO_TYPE1v2_IOMMU,
} from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import type { DirtyTracking } from '../dirty/dirty-tracking.ts'
import { Type1DirtyTracking } from '../dirty/type1-dirty-tracking.ts'
import { unsafeInterruptsError } from '../groups/group-handle.ts'
import type { RlimitMode } from '../iommufd/options.ts'
import { formatRange } from '../iova.ts'
import type { Backend, BackendAttachment, MappingRequest } from './backend.ts'
import { openCompatContainer } from './compat-container.ts'
import { GroupContainer, type GroupEntered } from './group-container.ts'
import { mapError } from './map-error.ts'
import { refuseDirtyTracking, refuseReplace } from './refusals.ts'
import { readType1Info, type Type1Info } from './type1-info.ts'
import { mapDma, unmapDma } from './type1-requests.ts'

const CONTAINER = '/dev/vfio/vfio'
const DEFAULT_ALIGNMENT = 4096

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
  /** Kept, not asked for: each map and unmap looks at it. */
  ready: boolean
  readonly #fd: Fd<'container'>
  readonly borrowed: boolean
  readonly home = this
  readonly #container: GroupContainer
  /** Whether the page table is there without a group of this process's. */
  readonly #lasting: boolean
  #onReady: () => void = () => {}
  #tracking: DirtyTracking | undefined

  private constructor(name: 'type1' | 'iommufd-compat', fd: Fd<'container'>, borrowed: boolean) {
    this.name = name
    this.borrowed = borrowed
    this.#lasting = borrowed || name === 'iommufd-compat'
    const entered: GroupEntered = (group, first) => {
      if (!first || this.#lasting) return
      setIommu(fd, group)
      this.ready = true
      this.#onReady()
    }
    this.#container = new GroupContainer(fd, entered, undefined, this)
    this.#fd = fd
    this.ready = this.#lasting
  }

  /** @throws {@link OpenbarError} `ERR_NO_BACKEND`, `ERR_PERMISSION`. */
  static open(name: 'type1' | 'iommufd-compat', mode?: RlimitMode): Type1Backend {
    return new Type1Backend(name, name === 'iommufd-compat' ? openCompatContainer(mode) : openContainer(), false)
  }

  /** Over a container that somebody else has opened, with a group in it. */
  static adopt(name: 'type1' | 'iommufd-compat', fd: Fd<'container'>): Type1Backend {
    readType1Info(fd)
    return new Type1Backend(name, fd, true)
  }

  get file(): Fd {
    return this.#fd
  }

  get alignment(): number {
    return this.#info?.alignment ?? DEFAULT_ALIGNMENT
  }

  get mappingsLeft(): number | undefined {
    // An iommufd says 65535 to please old programs, and takes more.
    return this.name === 'iommufd-compat' ? undefined : this.#info?.mappingsLeft
  }

  ranges(): readonly InclusiveRange[] | undefined {
    return this.#info?.ranges
  }

  map(request: MappingRequest): void {
    const result = mapDma(this.#fd, request)
    if (result < 0) throw mapError('ioctl(VFIO_IOMMU_MAP_DMA)', -result, request)
  }

  unmap(start: number, size: number): number {
    const result = unmapDma(this.#fd, start, size)
    if (result < 0) throw syscallError('ioctl(VFIO_IOMMU_UNMAP_DMA)', -result, formatRange(BigInt(start), BigInt(size)))
    return result
  }

  attach(device: Attachable, onReady: () => void): BackendAttachment {
    this.#onReady = onReady
    try {
      const inner = this.#container.attach(device)
      return {
        ...inner,
        detach: () => {
          try {
            inner.detach()
          } finally {
            this.#lookReady()
          }
        },
      }
    } finally {
      this.#onReady = () => {}
      this.#lookReady()
    }
  }

  #lookReady(): void {
    this.ready = this.#lasting || !this.#container.empty
  }

  replaceable(): boolean {
    return false
  }

  replace(): never {
    return refuseReplace(this.name)
  }

  dirtyTracking(): DirtyTracking {
    if (this.name === 'iommufd-compat') refuseDirtyTracking(this.name)
    this.#tracking ??= new Type1DirtyTracking(this.#fd)
    return this.#tracking
  }

  close(): void {
    this.#container.close()
  }

  /** Asked anew each time, for each device that comes or goes may change it; `undefined` without a page table. */
  get #info(): Type1Info | undefined {
    return this.ready ? readType1Info(this.#fd) : undefined
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
