import { ioctlRequest } from '../ioctl.ts'
import { defineStruct } from '../struct.ts'

// linux/vfio.h for x86-64: the reset of a bus or slot, with all devices on it.

export const VFIO_DEVICE_GET_PCI_HOT_RESET_INFO = ioctlRequest('VFIO_DEVICE_GET_PCI_HOT_RESET_INFO', 0x3b70, 'device')
export const VFIO_DEVICE_PCI_HOT_RESET = ioctlRequest('VFIO_DEVICE_PCI_HOT_RESET', 0x3b71, 'device')

/** The devices are told by their numbers in an iommufd context, not by their groups. */
export const VFIO_PCI_HOT_RESET_FLAG_DEV_ID = 1 << 0
/** All of them belong to the context. */
export const VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED = 1 << 1
/** In the place of a number: not bound itself, but its group belongs to the context. */
export const VFIO_PCI_DEVID_OWNED = 0
/** In the place of a number: -1, read without a sign. */
export const VFIO_PCI_DEVID_NOT_OWNED = 0xffff_ffff

/** `group_id` and `devid` are one field; the flags say which it is. */
export const vfioPciDependentDevice = defineStruct('vfio_pci_dependent_device', 8, {
  group_id: ['u32', 0],
  devid: ['u32', 0],
  segment: ['u16', 4],
  bus: ['u8', 6],
  devfn: ['u8', 7],
})

/** {@link vfioPciDependentDevice} structs follow at offset 12. */
export const vfioPciHotResetInfo = defineStruct('vfio_pci_hot_reset_info', 12, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  count: ['u32', 8],
})

/** Group fds as s32 follow at offset 12; none for a device that was opened by its character device. */
export const vfioPciHotReset = defineStruct('vfio_pci_hot_reset', 12, {
  argsz: ['u32', 0],
  flags: ['u32', 4],
  count: ['u32', 8],
})
