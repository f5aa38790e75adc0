import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/vfio.h for x86-64: dirty tracking of a type1 container.

export const VFIO_IOMMU_DIRTY_PAGES = ioctlRequest('VFIO_IOMMU_DIRTY_PAGES', 0x3b75, 'container')

/** One of these at a time. */
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_START = 1 << 0
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP = 1 << 1
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP = 1 << 2

/** With GET_BITMAP, a {@link vfioIommuType1DirtyBitmapGet} follows at offset 8. */
export const vfioIommuType1DirtyBitmap = defineStruct('vfio_iommu_type1_dirty_bitmap', 8, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
})

/** A {@link vfioBitmap} stands at offset 16. */
export const vfioIommuType1DirtyBitmapGet = defineStruct('vfio_iommu_type1_dirty_bitmap_get', 40, {
  iova: ['u64', 0],
  size: ['u64', 8],
})

/** `size` is the bitmap's, in bytes. */
export const vfioBitmap = defineStruct('vfio_bitmap', 24, {
  pgsize: ['u64', 0],
  size: ['u64', 8],
  data: ['u64', 16],
})
