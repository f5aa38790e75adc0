import {
  type Fd,
  OpenbarError,
  queryInfo,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  vfioDeviceInfo,
} from '@openbar/linux'

/** What the kernel says of a VFIO device. */
export interface DeviceInfo {
  /** Number of regions, those of size 0 included. */
  readonly regions: number
  /** Number of interrupt indexes, those without vectors included. */
  readonly interrupts: number
  /** Whether `device.reset()` can work. */
  readonly resettable: boolean
}

/**
 * Asks the kernel for a device's numbers.
 *
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` for a device that is not a PCI device.
 * @see linux/vfio.h, `struct vfio_device_info`
 */
export function readDeviceInfo(fd: Fd<'device'>, address: string): DeviceInfo {
  const info = queryInfo(fd, VFIO_DEVICE_GET_INFO, vfioDeviceInfo, address)
  if ((info.flags & VFIO_DEVICE_FLAGS_PCI) === 0) {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${address} is a VFIO device, but not a PCI device.`,
      context: { what: 'devices other than PCI' },
    })
  }
  return {
    regions: info.num_regions,
    interrupts: info.num_irqs,
    resettable: (info.flags & VFIO_DEVICE_FLAGS_RESET) !== 0,
  }
}
