import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/iommufd.h for x86-64: what Linux 6.12 does not know yet, and answers with ENOTTY.

export const IOMMU_IOAS_MAP_FILE = ioctlRequest('IOMMU_IOAS_MAP_FILE', 0x3b8f, 'iommufd')
export const IOMMU_VIOMMU_ALLOC = ioctlRequest('IOMMU_VIOMMU_ALLOC', 0x3b90, 'iommufd')
export const IOMMU_VDEVICE_ALLOC = ioctlRequest('IOMMU_VDEVICE_ALLOC', 0x3b91, 'iommufd')
export const IOMMU_IOAS_CHANGE_PROCESS = ioctlRequest('IOMMU_IOAS_CHANGE_PROCESS', 0x3b92, 'iommufd')
export const IOMMU_VEVENTQ_ALLOC = ioctlRequest('IOMMU_VEVENTQ_ALLOC', 0x3b93, 'iommufd')
export const IOMMU_HW_QUEUE_ALLOC = ioctlRequest('IOMMU_HW_QUEUE_ALLOC', 0x3b94, 'iommufd')

export const iommuIoasMapFile = defineStruct('iommu_ioas_map_file', 40, {
  size: ['u32', 0],
  flags: ['u32', 4],
  ioas_id: ['u32', 8],
  fd: ['s32', 12],
  start: ['u64', 16],
  length: ['u64', 24],
  iova: ['u64', 32],
})

export const iommuViommuAlloc = defineStruct('iommu_viommu_alloc', 40, {
  size: ['u32', 0],
  flags: ['u32', 4],
  type: ['u32', 8],
  dev_id: ['u32', 12],
  hwpt_id: ['u32', 16],
  out_viommu_id: ['u32', 20],
  data_len: ['u32', 24],
  data_uptr: ['u64', 32],
})

export const iommuVdeviceAlloc = defineStruct('iommu_vdevice_alloc', 24, {
  size: ['u32', 0],
  viommu_id: ['u32', 4],
  dev_id: ['u32', 8],
  out_vdevice_id: ['u32', 12],
  virt_id: ['u64', 16],
})

export const iommuIoasChangeProcess = defineStruct('iommu_ioas_change_process', 8, { size: ['u32', 0] })

export const iommuVeventqAlloc = defineStruct('iommu_veventq_alloc', 32, {
  size: ['u32', 0],
  flags: ['u32', 4],
  viommu_id: ['u32', 8],
  type: ['u32', 12],
  veventq_depth: ['u32', 16],
  out_veventq_id: ['u32', 20],
  out_veventq_fd: ['u32', 24],
})

export const iommuHwQueueAlloc = defineStruct('iommu_hw_queue_alloc', 40, {
  size: ['u32', 0],
  flags: ['u32', 4],
  viommu_id: ['u32', 8],
  type: ['u32', 12],
  index: ['u32', 16],
  out_hw_queue_id: ['u32', 20],
  nesting_parent_iova: ['u64', 24],
  length: ['u64', 32],
})
