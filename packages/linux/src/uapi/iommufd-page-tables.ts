import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/iommufd.h for x86-64: hardware page tables (HWPT), what the IOMMU has, and dirty tracking.

export const IOMMU_HWPT_ALLOC = ioctlRequest('IOMMU_HWPT_ALLOC', 0x3b89, 'iommufd')
export const IOMMU_GET_HW_INFO = ioctlRequest('IOMMU_GET_HW_INFO', 0x3b8a, 'iommufd')
export const IOMMU_HWPT_SET_DIRTY_TRACKING = ioctlRequest('IOMMU_HWPT_SET_DIRTY_TRACKING', 0x3b8b, 'iommufd')
export const IOMMU_HWPT_GET_DIRTY_BITMAP = ioctlRequest('IOMMU_HWPT_GET_DIRTY_BITMAP', 0x3b8c, 'iommufd')
export const IOMMU_HWPT_INVALIDATE = ioctlRequest('IOMMU_HWPT_INVALIDATE', 0x3b8d, 'iommufd')

export const IOMMU_HWPT_ALLOC_NEST_PARENT = 1 << 0
export const IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1
export const IOMMU_HWPT_FAULT_ID_VALID = 1 << 2

/** Formats of a nested table's `data`. */
export const IOMMU_HWPT_DATA_NONE = 0
export const IOMMU_HWPT_DATA_VTD_S1 = 1

export const IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 1 << 0
export const IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1 << 0

export const IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 = 0
export const IOMMU_VTD_INV_FLAGS_LEAF = 1 << 0

export const IOMMU_HW_INFO_TYPE_NONE = 0
export const IOMMU_HW_INFO_TYPE_INTEL_VTD = 1
export const IOMMU_HW_INFO_TYPE_ARM_SMMUV3 = 2
export const IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV = 3
export const IOMMU_HW_INFO_TYPE_AMD = 4

export const IOMMU_HW_CAP_DIRTY_TRACKING = 1 << 0
export const IOMMU_HW_CAP_PCI_PASID_EXEC = 1 << 1
export const IOMMU_HW_CAP_PCI_PASID_PRIV = 1 << 2

/** Kernels before Linux 6.11 end before `fault_id`; they take a longer struct whose end is zero. */
export const iommuHwptAlloc = defineStruct('iommu_hwpt_alloc', 48, {
  size: ['u32', 0],
  flags: ['u32', 4],
  dev_id: ['u32', 8],
  pt_id: ['u32', 12],
  out_hwpt_id: ['u32', 16],
  data_type: ['u32', 24],
  data_len: ['u32', 28],
  data_uptr: ['u64', 32],
  fault_id: ['u32', 40],
})

/** The data of a stage-1 table of VT-d. */
export const iommuHwptVtdS1 = defineStruct('iommu_hwpt_vtd_s1', 24, {
  flags: ['u64', 0],
  pgtbl_addr: ['u64', 8],
  addr_width: ['u32', 16],
})

export const iommuHwInfo = defineStruct('iommu_hw_info', 40, {
  size: ['u32', 0],
  flags: ['u32', 4],
  dev_id: ['u32', 8],
  data_len: ['u32', 12],
  data_uptr: ['u64', 16],
  out_data_type: ['u32', 24],
  out_max_pasid_log2: ['u8', 28],
  out_capabilities: ['u64', 32],
})

export const iommuHwInfoVtd = defineStruct('iommu_hw_info_vtd', 24, {
  flags: ['u32', 0],
  cap_reg: ['u64', 8],
  ecap_reg: ['u64', 16],
})

export const iommuHwptSetDirtyTracking = defineStruct('iommu_hwpt_set_dirty_tracking', 16, {
  size: ['u32', 0],
  flags: ['u32', 4],
  hwpt_id: ['u32', 8],
})

/** Bits are added to what `data` points to: it has to be zero before. */
export const iommuHwptGetDirtyBitmap = defineStruct('iommu_hwpt_get_dirty_bitmap', 48, {
  size: ['u32', 0],
  hwpt_id: ['u32', 4],
  flags: ['u32', 8],
  iova: ['u64', 16],
  length: ['u64', 24],
  page_size: ['u64', 32],
  data: ['u64', 40],
})

/** `entry_num` comes back as the number of entries that were handled, also when the request fails. */
export const iommuHwptInvalidate = defineStruct('iommu_hwpt_invalidate', 32, {
  size: ['u32', 0],
  hwpt_id: ['u32', 4],
  data_uptr: ['u64', 8],
  data_type: ['u32', 16],
  entry_len: ['u32', 20],
  entry_num: ['u32', 24],
})

/** An entry of an invalidation of VT-d's stage 1. */
export const iommuHwptVtdS1Invalidate = defineStruct('iommu_hwpt_vtd_s1_invalidate', 24, {
  addr: ['u64', 0],
  npages: ['u64', 8],
  flags: ['u32', 16],
})
