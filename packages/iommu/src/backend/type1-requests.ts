import {
  type Fd,
  ioctlFixed,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
} from '@openbar/linux'
import { type DmaAccess, deviceReads, deviceWrites } from '../access.ts'
import { readU64, writePointer, writeU64 } from '../words.ts'
import type { MappingRequest } from './backend.ts'

/** The bytes of a word: see `FixedStruct`. */
const WORD = 4

/**
 * Maps memory.
 *
 * @returns 0, or the negated errno.
 */
export const mapDma = makeMapDma()

/**
 * Unmaps a range, in bytes.
 *
 * @returns The bytes that were unmapped, or the negated errno.
 */
export const unmapDma = makeUnmapDma()

// The structs are made once and written anew for each call. They stand in closures, not in the module, and so do
// the functions that write them: see `ioctlFixed`.

function makeMapDma() {
  const request = vfioIommuType1DmaMap.fixed()
  request.argsz = vfioIommuType1DmaMap.size
  const { words } = request
  const FLAGS = vfioIommuType1DmaMap.fields.flags[1] / WORD
  const VADDR = vfioIommuType1DmaMap.fields.vaddr[1] / WORD
  const IOVA = vfioIommuType1DmaMap.fields.iova[1] / WORD
  const SIZE = vfioIommuType1DmaMap.fields.size[1] / WORD
  const call = ioctlFixed(VFIO_IOMMU_MAP_DMA, request)
  const READ_WRITE = flagsOf('read-write')
  const [write, point] = [writeU64, writePointer]
  return (fd: Fd<'container'>, { access, address, start, size }: MappingRequest): number => {
    words[FLAGS] = access === 'read-write' ? READ_WRITE : flagsOf(access)
    point(words, VADDR, address)
    write(words, IOVA, start)
    write(words, SIZE, size)
    return call(fd)
  }
}

function makeUnmapDma() {
  const request = vfioIommuType1DmaUnmap.fixed()
  request.argsz = vfioIommuType1DmaUnmap.size
  const { words } = request
  const IOVA = vfioIommuType1DmaUnmap.fields.iova[1] / WORD
  const SIZE = vfioIommuType1DmaUnmap.fields.size[1] / WORD
  const call = ioctlFixed(VFIO_IOMMU_UNMAP_DMA, request)
  const [write, read] = [writeU64, readU64]
  return (fd: Fd<'container'>, start: number, size: number): number => {
    write(words, IOVA, start)
    write(words, SIZE, size)
    const result = call(fd)
    return result < 0 ? result : read(words, SIZE)
  }
}

function flagsOf(access: DmaAccess): number {
  return (deviceReads(access) ? VFIO_DMA_MAP_FLAG_READ : 0) | (deviceWrites(access) ? VFIO_DMA_MAP_FLAG_WRITE : 0)
}
