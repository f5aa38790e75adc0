import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/iommufd.h for x86-64. Every struct begins with its own size: too short is EINVAL, a longer one with a
// non-zero tail is E2BIG.

export const IOMMU_DESTROY = ioctlRequest('IOMMU_DESTROY', 0x3b80, 'iommufd')
export const IOMMU_IOAS_ALLOC = ioctlRequest('IOMMU_IOAS_ALLOC', 0x3b81, 'iommufd')
export const IOMMU_IOAS_ALLOW_IOVAS = ioctlRequest('IOMMU_IOAS_ALLOW_IOVAS', 0x3b82, 'iommufd')
export const IOMMU_IOAS_COPY = ioctlRequest('IOMMU_IOAS_COPY', 0x3b83, 'iommufd')
export const IOMMU_IOAS_IOVA_RANGES = ioctlRequest('IOMMU_IOAS_IOVA_RANGES', 0x3b84, 'iommufd')
export const IOMMU_IOAS_MAP = ioctlRequest('IOMMU_IOAS_MAP', 0x3b85, 'iommufd')
export const IOMMU_IOAS_UNMAP = ioctlRequest('IOMMU_IOAS_UNMAP', 0x3b86, 'iommufd')
export const IOMMU_OPTION = ioctlRequest('IOMMU_OPTION', 0x3b87, 'iommufd')
export const IOMMU_VFIO_IOAS = ioctlRequest('IOMMU_VFIO_IOAS', 0x3b88, 'iommufd')

export const IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0
export const IOMMU_IOAS_MAP_WRITEABLE = 1 << 1
export const IOMMU_IOAS_MAP_READABLE = 1 << 2

/** Options of {@link IOMMU_OPTION}: the first of the whole context, the second of an address space. */
export const IOMMU_OPTION_RLIMIT_MODE = 0
export const IOMMU_OPTION_HUGE_PAGES = 1
export const IOMMU_OPTION_OP_SET = 0
export const IOMMU_OPTION_OP_GET = 1

/** Operations of {@link IOMMU_VFIO_IOAS}. */
export const IOMMU_VFIO_IOAS_GET = 0
export const IOMMU_VFIO_IOAS_SET = 1
export const IOMMU_VFIO_IOAS_CLEAR = 2

export const iommuDestroy = defineStruct('iommu_destroy', 8, { size: ['u32', 0], id: ['u32', 4] })

export const iommuIoasAlloc = defineStruct('iommu_ioas_alloc', 12, {
  size: ['u32', 0],
  flags: ['u32', 4],
  out_ioas_id: ['u32', 8],
})

/** `allowed_iovas` points to an array of `struct iommu_iova_range`: start (u64), last (u64). */
export const iommuIoasIovaRanges = defineStruct('iommu_ioas_iova_ranges', 32, {
  size: ['u32', 0],
  ioas_id: ['u32', 4],
  num_iovas: ['u32', 8],
  allowed_iovas: ['u64', 16],
  out_iova_alignment: ['u64', 24],
})

export const iommuIoasMap = defineStruct('iommu_ioas_map', 40, {
  size: ['u32', 0],
  flags: ['u32', 4],
  ioas_id: ['u32', 8],
  user_va: ['u64', 16],
  length: ['u64', 24],
  iova: ['u64', 32],
})

export const iommuIoasUnmap = defineStruct('iommu_ioas_unmap', 24, {
  size: ['u32', 0],
  ioas_id: ['u32', 4],
  iova: ['u64', 8],
  length: ['u64', 16],
})

/** `allowed_iovas` points to an array of `struct iommu_iova_range`: start (u64), last (u64). */
export const iommuIoasAllowIovas = defineStruct('iommu_ioas_allow_iovas', 24, {
  size: ['u32', 0],
  ioas_id: ['u32', 4],
  num_iovas: ['u32', 8],
  allowed_iovas: ['u64', 16],
})

export const iommuIoasCopy = defineStruct('iommu_ioas_copy', 40, {
  size: ['u32', 0],
  flags: ['u32', 4],
  dst_ioas_id: ['u32', 8],
  src_ioas_id: ['u32', 12],
  length: ['u64', 16],
  dst_iova: ['u64', 24],
  src_iova: ['u64', 32],
})

export const iommuOption = defineStruct('iommu_option', 24, {
  size: ['u32', 0],
  option_id: ['u32', 4],
  op: ['u16', 8],
  object_id: ['u32', 12],
  val64: ['u64', 16],
})

export const iommuVfioIoas = defineStruct('iommu_vfio_ioas', 12, {
  size: ['u32', 0],
  ioas_id: ['u32', 4],
  op: ['u16', 8],
})
