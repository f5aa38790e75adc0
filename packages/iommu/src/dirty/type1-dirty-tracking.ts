import {
  addressOf,
  Errno,
  type Fd,
  OpenbarError,
  syscallError,
  tryIoctl,
  VFIO_IOMMU_DIRTY_PAGES,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP,
  vfioBitmap,
  vfioIommuType1DirtyBitmap,
  vfioIommuType1DirtyBitmapGet,
} from '@openbar/linux'
import { formatRange, type Iova } from '../iova.ts'
import { type DirtyBitmap, type DirtyRange, dirtyRanges, emptyBitmap } from './dirty-bitmap.ts'
import { checkDirtyRange, trackingOffError } from './dirty-errors.ts'
import type { DirtyTracking } from './dirty-tracking.ts'
import { readPageSize } from './read-page-size.ts'

const SYSCALL = 'ioctl(VFIO_IOMMU_DIRTY_PAGES)'
const CONTAINER = 'the VFIO container'

/**
 * Dirty tracking of a type1 container. The kernel knows nothing of what plain devices write there: while one is in the
 * container, every page that is mapped and pinned counts as written, at every read. It is exact only for mediated
 * devices, which pin pages one by one. A program that works with both backends copies more than needed, and never too
 * little.
 *
 * It starts while a device is in the container. When the last one leaves, the kernel forgets it: stop it before, and
 * start it again.
 *
 * @see linux/vfio.h, `struct vfio_iommu_type1_dirty_bitmap`
 *
 * @example
 * ```ts
 * const tracking = new Type1DirtyTracking(container)
 * tracking.start()
 * const written = tracking.read(0x1000_0000, 64 * 1024 * 1024)
 * tracking.stop()
 * ```
 */
export class Type1DirtyTracking implements DirtyTracking {
  readonly #container: Fd<'container'>
  /** The one page size that the kernel takes; `undefined` while off. */
  #pageSize: number | undefined

  /** @param container - With the type1 IOMMU, version 2. It stays the caller's. */
  constructor(container: Fd<'container'>) {
    this.#container = container
  }

  /** {@inheritDoc DirtyTracking.on} */
  get on(): boolean {
    return this.#pageSize !== undefined
  }

  /** {@inheritDoc DirtyTracking.start} */
  start(): void {
    if (this.on) return
    const pageSize = readPageSize(this.#container)
    const result = tryIoctl(this.#container, VFIO_IOMMU_DIRTY_PAGES, command(VFIO_IOMMU_DIRTY_PAGES_FLAG_START))
    if (result < 0) throw syscallError(SYSCALL, -result, CONTAINER)
    this.#pageSize = pageSize
  }

  /** {@inheritDoc DirtyTracking.stop} */
  stop(): void {
    if (!this.on) return
    const result = tryIoctl(this.#container, VFIO_IOMMU_DIRTY_PAGES, command(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP))
    // EINVAL: the last device has left, and the tracking with it.
    if (result < 0 && result !== -Errno.EINVAL) throw syscallError(SYSCALL, -result, CONTAINER)
    this.#pageSize = undefined
  }

  /** {@inheritDoc DirtyTracking.read} */
  read(iova: Iova, size: number): DirtyRange[] {
    return dirtyRanges(this.readBitmap(iova, size))
  }

  /** {@inheritDoc DirtyTracking.readBitmap} */
  readBitmap(start: Iova, size: number): DirtyBitmap {
    const pageSize = this.#pageSize
    if (pageSize === undefined) throw trackingOffError(CONTAINER)
    const iova = checkDirtyRange(start, size, pageSize)
    const bitmap = emptyBitmap(iova, size, pageSize)
    const request = command(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, rangeOf(bitmap))
    const result = tryIoctl(this.#container, VFIO_IOMMU_DIRTY_PAGES, request)
    if (result >= 0) return bitmap
    if (result !== -Errno.EINVAL) throw syscallError(SYSCALL, -result, formatRange(iova, BigInt(size)))
    // Says so when the last device has left.
    readPageSize(this.#container)
    throw new OpenbarError('ERR_NOT_MAPPED', {
      message: `${formatRange(iova, BigInt(size))} cuts a mapping, so what devices have written there cannot be told.`,
      hint: 'Read whole mappings, one or several. After the last device has left, tracking has to be stopped and started again.',
      context: { iova, size: BigInt(size) },
      errno: Errno.EINVAL,
      syscall: SYSCALL,
    })
  }
}

function command(flags: number, range: Uint8Array = new Uint8Array(0)) {
  const { size } = vfioIommuType1DirtyBitmap
  const dirty = vfioIommuType1DirtyBitmap.allocate(range.byteLength)
  dirty.argsz = size + range.byteLength
  dirty.flags = flags
  dirty.bytes.set(range, size)
  return dirty
}

/** `struct vfio_iommu_type1_dirty_bitmap_get`, with its `struct vfio_bitmap`. */
function rangeOf({ iova, size, pageSize, bits }: DirtyBitmap): Uint8Array {
  const bitmap = vfioBitmap.allocate()
  bitmap.pgsize = BigInt(pageSize)
  bitmap.size = BigInt(bits.byteLength)
  bitmap.data = addressOf(bits)
  const range = vfioIommuType1DirtyBitmapGet.allocate()
  range.iova = iova
  range.size = BigInt(size)
  range.bytes.set(bitmap.bytes, vfioIommuType1DirtyBitmapGet.size - vfioBitmap.size)
  return range.bytes
}
