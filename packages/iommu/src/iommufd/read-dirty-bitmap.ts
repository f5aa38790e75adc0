import {
  addressOf,
  IOMMU_HWPT_GET_DIRTY_BITMAP,
  IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
  iommuHwptGetDirtyBitmap,
  OpenbarError,
  tryIoctl,
} from '@openbar/linux'
import { type DirtyBitmap, emptyBitmap } from '../dirty/dirty-bitmap.ts'
import { checkDirtyRange } from '../dirty/dirty-errors.ts'
import { formatRange, type Iova } from '../iova.ts'
import type { IommufdAddressSpace } from './address-space.ts'
import { isMapped } from './is-mapped.ts'
import { refusal } from './refusal.ts'

interface DirtyRead {
  readonly iova: Iova
  readonly size: number
  readonly pageSize: number
  readonly keep: boolean
}

/** Reads which pages of a range were written, for a table whose tracking is on. */
export function readDirtyBitmap(space: IommufdAddressSpace, table: number, read: DirtyRead): DirtyBitmap {
  const { size, pageSize, keep } = read
  const iova = checkDirtyRange(read.iova, size, pageSize)
  // Linux 6.12 stops at the first gap, drops the error and answers success: written pages behind the gap would be lost.
  if (!isMapped(space, iova, BigInt(size))) {
    throw new OpenbarError('ERR_NOT_MAPPED', {
      message: `What devices have written at ${formatRange(iova, BigInt(size))} cannot be told: it is not mapped throughout.`,
      hint: 'Read each mapping by itself, or a range of mappings that touch.',
      context: { iova, size: BigInt(size) },
    })
  }
  const bitmap = emptyBitmap(iova, size, pageSize)
  const command = iommuHwptGetDirtyBitmap.allocate()
  command.size = iommuHwptGetDirtyBitmap.size
  command.hwpt_id = table
  command.flags = keep ? IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0
  command.iova = iova
  command.length = BigInt(size)
  command.page_size = BigInt(pageSize)
  command.data = addressOf(bitmap.bits)
  const result = tryIoctl(space.fd, IOMMU_HWPT_GET_DIRTY_BITMAP, command)
  if (result >= 0) return bitmap
  throw refusal(IOMMU_HWPT_GET_DIRTY_BITMAP, -result, {
    what: 'dirty tracking',
    target: `page table ${table}`,
    since: '6.7',
  })
}
