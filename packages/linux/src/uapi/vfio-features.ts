import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/vfio.h for x86-64: features of a device beyond regions and interrupts.

export const VFIO_DEVICE_IOEVENTFD = ioctlRequest('VFIO_DEVICE_IOEVENTFD', 0x3b74, 'device')
export const VFIO_DEVICE_FEATURE = ioctlRequest('VFIO_DEVICE_FEATURE', 0x3b75, 'device')

export const VFIO_DEVICE_IOEVENTFD_8 = 1 << 0
export const VFIO_DEVICE_IOEVENTFD_16 = 1 << 1
export const VFIO_DEVICE_IOEVENTFD_32 = 1 << 2
export const VFIO_DEVICE_IOEVENTFD_64 = 1 << 3

/** What is asked of a feature, beside its number. */
export const VFIO_DEVICE_FEATURE_GET = 1 << 16
export const VFIO_DEVICE_FEATURE_SET = 1 << 17
export const VFIO_DEVICE_FEATURE_PROBE = 1 << 18

/** The features' numbers. */
export const VFIO_DEVICE_FEATURE_PCI_VF_TOKEN = 0
export const VFIO_DEVICE_FEATURE_MIGRATION = 1
export const VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE = 2
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY = 3
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP = 4
export const VFIO_DEVICE_FEATURE_LOW_POWER_EXIT = 5
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_START = 6
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP = 7
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT = 8
export const VFIO_DEVICE_FEATURE_MIG_DATA_SIZE = 9
export const VFIO_DEVICE_FEATURE_BUS_MASTER = 10
export const VFIO_DEVICE_FEATURE_DMA_BUF = 11

/** Writes `data` at the device file's `offset` when the eventfd `fd` is signalled; -1 takes that back. */
export const vfioDeviceIoeventfd = defineStruct('vfio_device_ioeventfd', 32, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  offset: ['u64', 8],
  data: ['u64', 16],
  fd: ['s32', 24],
})

/** The feature's own struct follows at offset 8. */
export const vfioDeviceFeature = defineStruct('vfio_device_feature', 8, { argsz: ['u32', 0], flags: ['u32', 4] })

export const vfioDeviceLowPowerEntryWithWakeup = defineStruct('vfio_device_low_power_entry_with_wakeup', 8, {
  wakeup_eventfd: ['s32', 0],
})

/** `ranges` points to {@link vfioDeviceFeatureDmaLoggingRange} structs. */
export const vfioDeviceFeatureDmaLoggingControl = defineStruct('vfio_device_feature_dma_logging_control', 24, {
  page_size: ['u64', 0],
  num_ranges: ['u32', 8],
  ranges: ['u64', 16],
})

export const vfioDeviceFeatureDmaLoggingRange = defineStruct('vfio_device_feature_dma_logging_range', 16, {
  iova: ['u64', 0],
  length: ['u64', 8],
})

/** `bitmap` points to words of 64 bits, in which the kernel only sets bits. */
export const vfioDeviceFeatureDmaLoggingReport = defineStruct('vfio_device_feature_dma_logging_report', 32, {
  iova: ['u64', 0],
  length: ['u64', 8],
  page_size: ['u64', 16],
  bitmap: ['u64', 24],
})

/** {@link vfioRegionDmaRange} structs follow at offset 16. */
export const vfioDeviceFeatureDmaBuf = defineStruct('vfio_device_feature_dma_buf', 16, {
  region_index: ['u32', 0],
  open_flags: ['u32', 4],
  flags: ['u32', 8],
  nr_ranges: ['u32', 12],
})

export const vfioRegionDmaRange = defineStruct('vfio_region_dma_range', 16, { offset: ['u64', 0], length: ['u64', 8] })
