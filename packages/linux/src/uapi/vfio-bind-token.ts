import { defineStruct } from '../struct.ts'
import { vfioDeviceBindIommufd } from './vfio.ts'

// linux/vfio.h for x86-64: what Linux from 6.18 on has beyond 6.12.

export const VFIO_DEVICE_BIND_FLAG_TOKEN = 1 << 0

/** As Linux from 6.18 on has it, with the VF token behind. */
export const vfioDeviceBindIommufdToken = defineStruct('vfio_device_bind_iommufd', 24, {
  ...vfioDeviceBindIommufd.fields,
  token_uuid_ptr: ['u64', 16],
})
