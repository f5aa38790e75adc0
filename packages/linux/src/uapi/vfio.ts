import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/vfio.h for x86-64. Numbers from 0x3b70 on mean different things on a container and on a device.

/** Requests on a container: /dev/vfio/vfio. */
export const VFIO_GET_API_VERSION = ioctlRequest('VFIO_GET_API_VERSION', 0x3b64, 'container')
export const VFIO_CHECK_EXTENSION = ioctlRequest('VFIO_CHECK_EXTENSION', 0x3b65, 'container')
export const VFIO_SET_IOMMU = ioctlRequest('VFIO_SET_IOMMU', 0x3b66, 'container')
export const VFIO_IOMMU_GET_INFO = ioctlRequest('VFIO_IOMMU_GET_INFO', 0x3b70, 'container')
export const VFIO_IOMMU_MAP_DMA = ioctlRequest('VFIO_IOMMU_MAP_DMA', 0x3b71, 'container')
export const VFIO_IOMMU_UNMAP_DMA = ioctlRequest('VFIO_IOMMU_UNMAP_DMA', 0x3b72, 'container')

/** Requests on a group: /dev/vfio/<group>. */
export const VFIO_GROUP_GET_STATUS = ioctlRequest('VFIO_GROUP_GET_STATUS', 0x3b67, 'group')
export const VFIO_GROUP_SET_CONTAINER = ioctlRequest('VFIO_GROUP_SET_CONTAINER', 0x3b68, 'group')
export const VFIO_GROUP_UNSET_CONTAINER = ioctlRequest('VFIO_GROUP_UNSET_CONTAINER', 0x3b69, 'group')
export const VFIO_GROUP_GET_DEVICE_FD = ioctlRequest('VFIO_GROUP_GET_DEVICE_FD', 0x3b6a, 'group')

/** Requests on a device. */
export const VFIO_DEVICE_GET_INFO = ioctlRequest('VFIO_DEVICE_GET_INFO', 0x3b6b, 'device')
export const VFIO_DEVICE_GET_REGION_INFO = ioctlRequest('VFIO_DEVICE_GET_REGION_INFO', 0x3b6c, 'device')
export const VFIO_DEVICE_GET_IRQ_INFO = ioctlRequest('VFIO_DEVICE_GET_IRQ_INFO', 0x3b6d, 'device')
export const VFIO_DEVICE_SET_IRQS = ioctlRequest('VFIO_DEVICE_SET_IRQS', 0x3b6e, 'device')
export const VFIO_DEVICE_RESET = ioctlRequest('VFIO_DEVICE_RESET', 0x3b6f, 'device')
export const VFIO_DEVICE_BIND_IOMMUFD = ioctlRequest('VFIO_DEVICE_BIND_IOMMUFD', 0x3b76, 'device')
export const VFIO_DEVICE_ATTACH_IOMMUFD_PT = ioctlRequest('VFIO_DEVICE_ATTACH_IOMMUFD_PT', 0x3b77, 'device')
export const VFIO_DEVICE_DETACH_IOMMUFD_PT = ioctlRequest('VFIO_DEVICE_DETACH_IOMMUFD_PT', 0x3b78, 'device')

/** The only API version there is. */
export const VFIO_API_VERSION = 0
/** Extension and IOMMU type: type1, version 2 (no splitting at unmap). */
export const VFIO_TYPE1v2_IOMMU = 3
/** IOMMU type of a container whose devices stand behind none. */
export const VFIO_NOIOMMU_IOMMU = 8

export const VFIO_GROUP_FLAGS_VIABLE = 1 << 0
export const VFIO_GROUP_FLAGS_CONTAINER_SET = 1 << 1

export const VFIO_DEVICE_FLAGS_RESET = 1 << 0
export const VFIO_DEVICE_FLAGS_PCI = 1 << 1

export const VFIO_REGION_INFO_FLAG_READ = 1 << 0
export const VFIO_REGION_INFO_FLAG_WRITE = 1 << 1
export const VFIO_REGION_INFO_FLAG_MMAP = 1 << 2
export const VFIO_REGION_INFO_FLAG_CAPS = 1 << 3
export const VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1
export const VFIO_REGION_INFO_CAP_TYPE = 2
export const VFIO_REGION_INFO_CAP_MSIX_MAPPABLE = 3

/** Region indexes of a PCI device; 0 to 5 are the BARs. */
export const VFIO_PCI_ROM_REGION_INDEX = 6
export const VFIO_PCI_CONFIG_REGION_INDEX = 7
export const VFIO_PCI_VGA_REGION_INDEX = 8

/** Interrupt indexes of a PCI device. */
export const VFIO_PCI_INTX_IRQ_INDEX = 0
export const VFIO_PCI_MSI_IRQ_INDEX = 1
export const VFIO_PCI_MSIX_IRQ_INDEX = 2
export const VFIO_PCI_ERR_IRQ_INDEX = 3
export const VFIO_PCI_REQ_IRQ_INDEX = 4

export const VFIO_IRQ_INFO_EVENTFD = 1 << 0
export const VFIO_IRQ_INFO_MASKABLE = 1 << 1
export const VFIO_IRQ_INFO_AUTOMASKED = 1 << 2
export const VFIO_IRQ_INFO_NORESIZE = 1 << 3

export const VFIO_IRQ_SET_DATA_NONE = 1 << 0
export const VFIO_IRQ_SET_DATA_BOOL = 1 << 1
export const VFIO_IRQ_SET_DATA_EVENTFD = 1 << 2
export const VFIO_IRQ_SET_ACTION_MASK = 1 << 3
export const VFIO_IRQ_SET_ACTION_UNMASK = 1 << 4
export const VFIO_IRQ_SET_ACTION_TRIGGER = 1 << 5

export const VFIO_IOMMU_INFO_PGSIZES = 1 << 0
export const VFIO_IOMMU_INFO_CAPS = 1 << 1
export const VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1
export const VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION = 2
export const VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL = 3

export const VFIO_DMA_MAP_FLAG_READ = 1 << 0
export const VFIO_DMA_MAP_FLAG_WRITE = 1 << 1

export const vfioGroupStatus = defineStruct('vfio_group_status', 8, { argsz: ['u32', 0], flags: ['u32', 4] })

/** The first 20 bytes are all that Linux 6.1 knows; the kernel takes any `argsz` that is no smaller than its own. */
export const vfioDeviceInfo = defineStruct('vfio_device_info', 24, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  num_regions: ['u32', 8],
  num_irqs: ['u32', 12],
  cap_offset: ['u32', 16],
})

export const vfioRegionInfo = defineStruct('vfio_region_info', 32, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  index: ['u32', 8],
  cap_offset: ['u32', 12],
  size: ['u64', 16],
  offset: ['u64', 24],
})

export const vfioIrqInfo = defineStruct('vfio_irq_info', 16, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  index: ['u32', 8],
  count: ['u32', 12],
})

/** The data (eventfds as s32, or booleans as u8) follows at offset 20. */
export const vfioIrqSet = defineStruct('vfio_irq_set', 20, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  index: ['u32', 8],
  start: ['u32', 12],
  count: ['u32', 16],
})

export const vfioIommuType1Info = defineStruct('vfio_iommu_type1_info', 24, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  iova_pgsizes: ['u64', 8],
  cap_offset: ['u32', 16],
})

export const vfioIommuType1DmaMap = defineStruct('vfio_iommu_type1_dma_map', 32, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  vaddr: ['u64', 8],
  iova: ['u64', 16],
  size: ['u64', 24],
})

export const vfioIommuType1DmaUnmap = defineStruct('vfio_iommu_type1_dma_unmap', 24, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  iova: ['u64', 8],
  size: ['u64', 16],
})

/** As Linux 6.12 has it; newer kernels add a VF token behind. */
export const vfioDeviceBindIommufd = defineStruct('vfio_device_bind_iommufd', 16, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  iommufd: ['s32', 8],
  out_devid: ['u32', 12],
})

/** As Linux 6.12 has it; newer kernels add a PASID behind. */
export const vfioDeviceAttachIommufdPt = defineStruct('vfio_device_attach_iommufd_pt', 12, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  pt_id: ['u32', 8],
})

/** As Linux 6.12 has it; newer kernels add a PASID behind. */
export const vfioDeviceDetachIommufdPt = defineStruct('vfio_device_detach_iommufd_pt', 8, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
})
