import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/vfio.h for x86-64: migration of a device's state.

/** A request on the file that a device's state goes through. */
export const VFIO_MIG_GET_PRECOPY_INFO = ioctlRequest('VFIO_MIG_GET_PRECOPY_INFO', 0x3b79, 'file')

export const VFIO_MIGRATION_STOP_COPY = 1 << 0
export const VFIO_MIGRATION_P2P = 1 << 1
export const VFIO_MIGRATION_PRE_COPY = 1 << 2

export const vfioDeviceFeatureMigration = defineStruct('vfio_device_feature_migration', 8, { flags: ['u64', 0] })

/** `data_fd` is -1 unless the change of state began a transfer. */
export const vfioDeviceFeatureMigState = defineStruct('vfio_device_feature_mig_state', 8, {
  device_state: ['u32', 0],
  data_fd: ['s32', 4],
})

export const vfioDeviceFeatureMigDataSize = defineStruct('vfio_device_feature_mig_data_size', 8, {
  stop_copy_length: ['u64', 0],
})

export const vfioPrecopyInfo = defineStruct('vfio_precopy_info', 24, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  initial_bytes: ['u64', 8],
  dirty_bytes: ['u64', 16],
})
