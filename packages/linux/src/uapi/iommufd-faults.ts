import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/iommufd.h for x86-64: page requests of devices, and the answers to them.

export const IOMMU_FAULT_QUEUE_ALLOC = ioctlRequest('IOMMU_FAULT_QUEUE_ALLOC', 0x3b8e, 'iommufd')

export const IOMMU_PGFAULT_FLAGS_PASID_VALID = 1 << 0
export const IOMMU_PGFAULT_FLAGS_LAST_PAGE = 1 << 1

export const IOMMU_PGFAULT_PERM_READ = 1 << 0
export const IOMMU_PGFAULT_PERM_WRITE = 1 << 1
export const IOMMU_PGFAULT_PERM_EXEC = 1 << 2
export const IOMMU_PGFAULT_PERM_PRIV = 1 << 3

export const IOMMUFD_PAGE_RESP_SUCCESS = 0
export const IOMMUFD_PAGE_RESP_INVALID = 1

export const iommuFaultAlloc = defineStruct('iommu_fault_alloc', 16, {
  size: ['u32', 0],
  flags: ['u32', 4],
  out_fault_id: ['u32', 8],
  out_fault_fd: ['u32', 12],
})

/** What is read from a fault queue's fd: whole groups, each a run of these with one cookie. */
export const iommuHwptPgfault = defineStruct('iommu_hwpt_pgfault', 40, {
  flags: ['u32', 0],
  dev_id: ['u32', 4],
  pasid: ['u32', 8],
  grpid: ['u32', 12],
  perm: ['u32', 16],
  addr: ['u64', 24],
  length: ['u32', 32],
  cookie: ['u32', 36],
})

/** What is written to a fault queue's fd: one for each group. */
export const iommuHwptPageResponse = defineStruct('iommu_hwpt_page_response', 8, {
  cookie: ['u32', 0],
  code: ['u32', 4],
})
