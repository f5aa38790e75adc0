import { type Fd, IOMMU_IOAS_MAP, IOMMU_IOAS_UNMAP, ioctlFixed, iommuIoasMap, iommuIoasUnmap } from '@openbar/linux'
import { readU64, writeU64 } from '../words.ts'

/** An I/O address space: the context that it belongs to, and its number there. */
export interface Ioas {
  readonly fd: Fd<'iommufd'>
  readonly ioas: number
}

/**
 * Maps memory; addresses and size in bytes, multiples of a page.
 *
 * @returns 0, or the negated errno.
 */
export const mapIoas = makeMapIoas()

/**
 * Unmaps a range, in bytes.
 *
 * @returns The bytes that were unmapped, or the negated errno.
 */
export const unmapIoas = makeUnmapIoas()

// The structs are made once and written anew for each call. They stand in closures, not in the module: see `ioctlFixed`.

function makeMapIoas() {
  const request = iommuIoasMap.fixed()
  request.size = iommuIoasMap.size
  const { view } = request
  const {
    flags: [, FLAGS],
    ioas_id: [, IOAS],
    user_va: [, ADDRESS],
    length: [, LENGTH],
    iova: [, IOVA],
  } = iommuIoasMap.fields
  const call = ioctlFixed(IOMMU_IOAS_MAP, request)
  return ({ fd, ioas }: Ioas, flags: number, address: number, start: number, size: number): number => {
    view.setUint32(FLAGS, flags, true)
    view.setUint32(IOAS, ioas, true)
    writeU64(view, ADDRESS, address)
    writeU64(view, LENGTH, size)
    writeU64(view, IOVA, start)
    return call(fd)
  }
}

function makeUnmapIoas() {
  const request = iommuIoasUnmap.fixed()
  request.size = iommuIoasUnmap.size
  const { view } = request
  const {
    ioas_id: [, IOAS],
    iova: [, IOVA],
    length: [, LENGTH],
  } = iommuIoasUnmap.fields
  const call = ioctlFixed(IOMMU_IOAS_UNMAP, request)
  return ({ fd, ioas }: Ioas, start: number, size: number): number => {
    view.setUint32(IOAS, ioas, true)
    writeU64(view, IOVA, start)
    writeU64(view, LENGTH, size)
    const result = call(fd)
    return result < 0 ? result : readU64(view, LENGTH)
  }
}
