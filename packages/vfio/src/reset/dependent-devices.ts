import {
  Errno,
  type Fd,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
  VFIO_PCI_DEVID_NOT_OWNED,
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID,
  vfioPciDependentDevice,
  vfioPciHotResetInfo,
} from '@openbar/linux'
import { PciAddress } from '@openbar/pci'

/** A device that a hot reset resets, as the kernel tells of it. */
export interface DependentDevice {
  readonly address: string
  /** The number of its group; `undefined` for a device that was opened by its character device. */
  readonly group: number | undefined
  /** Whether it belongs to the asking device's iommufd context; `undefined` for a device that was opened through its group. */
  readonly ofContext: boolean | undefined
}

const ROOM = 8
const TRIES = 10

/**
 * Asks the kernel what a hot reset of a device would reset, itself included.
 *
 * @returns `undefined` when neither its bus nor its slot can be reset.
 * @see linux/vfio.h, `struct vfio_pci_hot_reset_info`
 */
export function readDependentDevices(fd: Fd<'device'>, address: string): readonly DependentDevice[] | undefined {
  let room = ROOM
  let result = 0
  // Devices may come while the kernel counts them.
  for (let tries = 0; tries < TRIES; tries += 1) {
    const info = vfioPciHotResetInfo.allocate(room * vfioPciDependentDevice.size)
    info.argsz = info.bytes.byteLength
    result = tryIoctl(fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info)
    if (result >= 0) return parseDependentDevices(info.bytes)
    if (result === -Errno.ENODEV) return undefined
    if (result !== -Errno.ENOSPC && result !== -Errno.EAGAIN) break
    room = Math.max(room, info.count)
  }
  throw syscallError('ioctl(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO)', -result, address)
}

/** Takes the kernel's answer apart: the struct, and what follows it. */
export function parseDependentDevices(bytes: Uint8Array): DependentDevice[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const byContext = (view.getUint32(4, true) & VFIO_PCI_HOT_RESET_FLAG_DEV_ID) !== 0
  const fits = Math.floor((bytes.byteLength - vfioPciHotResetInfo.size) / vfioPciDependentDevice.size)
  const count = Math.min(view.getUint32(8, true), fits)
  return Array.from({ length: count }, (_, index) => {
    const at = vfioPciHotResetInfo.size + index * vfioPciDependentDevice.size
    const number = view.getUint32(at, true)
    const devfn = view.getUint8(at + 7)
    return {
      address: new PciAddress(view.getUint16(at + 4, true), view.getUint8(at + 6), devfn >> 3, devfn & 7).toString(),
      group: byContext ? undefined : number,
      ofContext: byContext ? number !== VFIO_PCI_DEVID_NOT_OWNED : undefined,
    }
  })
}
