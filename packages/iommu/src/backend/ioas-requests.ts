import {
  type Fd,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IOMMU_IOAS_UNMAP,
  ioctlFixed,
  iommuIoasMap,
  iommuIoasUnmap,
} from '@openbar/linux'
import { type DmaAccess, deviceReads, deviceWrites } from '../access.ts'
import { readU64, writePointer, writeU64 } from '../words.ts'
import type { MappingRequest } from './backend.ts'

/** An I/O address space: the context that it belongs to, and its number there. */
export interface Ioas {
  readonly fd: Fd<'iommufd'>
  readonly ioas: number
}

/** The bytes of a word: see `FixedStruct`. */
const WORD = 4

/**
 * Maps memory.
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

// The structs are made once and written anew for each call. They stand in closures, not in the module, and so do
// the functions that write them: see `ioctlFixed`.

function makeMapIoas() {
  const request = iommuIoasMap.fixed()
  request.size = iommuIoasMap.size
  const { words } = request
  const FLAGS = iommuIoasMap.fields.flags[1] / WORD
  const IOAS = iommuIoasMap.fields.ioas_id[1] / WORD
  const ADDRESS = iommuIoasMap.fields.user_va[1] / WORD
  const LENGTH = iommuIoasMap.fields.length[1] / WORD
  const IOVA = iommuIoasMap.fields.iova[1] / WORD
  const call = ioctlFixed(IOMMU_IOAS_MAP, request)
  const READ_WRITE = flagsOf('read-write')
  const [write, point] = [writeU64, writePointer]
  return ({ fd, ioas }: Ioas, { access, address, start, size }: MappingRequest): number => {
    words[FLAGS] = access === 'read-write' ? READ_WRITE : flagsOf(access)
    words[IOAS] = ioas
    point(words, ADDRESS, address)
    write(words, LENGTH, size)
    write(words, IOVA, start)
    return call(fd)
  }
}

function makeUnmapIoas() {
  const request = iommuIoasUnmap.fixed()
  request.size = iommuIoasUnmap.size
  const { words } = request
  const IOAS = iommuIoasUnmap.fields.ioas_id[1] / WORD
  const IOVA = iommuIoasUnmap.fields.iova[1] / WORD
  const LENGTH = iommuIoasUnmap.fields.length[1] / WORD
  const call = ioctlFixed(IOMMU_IOAS_UNMAP, request)
  const [write, read] = [writeU64, readU64]
  return ({ fd, ioas }: Ioas, start: number, size: number): number => {
    words[IOAS] = ioas
    write(words, IOVA, start)
    write(words, LENGTH, size)
    const result = call(fd)
    return result < 0 ? result : read(words, LENGTH)
  }
}

function flagsOf(access: DmaAccess): number {
  return (
    IOMMU_IOAS_MAP_FIXED_IOVA |
    (deviceReads(access) ? IOMMU_IOAS_MAP_READABLE : 0) |
    (deviceWrites(access) ? IOMMU_IOAS_MAP_WRITEABLE : 0)
  )
}
