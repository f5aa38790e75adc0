import { existsSync } from 'node:fs'
import { type Attachable, isVfioDriver } from '@openbar/iommu'
import { listDirectory, OpenbarError } from '@openbar/linux'
import { PciAddress, type PciAddressLike, readFunction } from '@openbar/pci'
import { noIommuError } from './no-iommu-error.ts'

/**
 * Finds what a domain has to know of a device: its group and, where the kernel has them, its character device.
 *
 * @throws {@link OpenbarError} `ERR_NO_DEVICE`; `ERR_NOT_BOUND` naming the driver that has it; `ERR_NO_IOMMU`.
 */
export function locateDevice(address: PciAddressLike): Attachable {
  const { address: name, driver, iommuGroup } = readFunction(address)
  const text = PciAddress.from(name).toString()
  if (driver === undefined || !isVfioDriver(driver)) {
    throw new OpenbarError('ERR_NOT_BOUND', {
      message: `${text} is bound to ${driver ?? 'no driver'}, not to vfio-pci.`,
      hint: `Let it be bound: Device.open('${text}', { bind: true }); closing the device gives it back.`,
      context: { address: text, driver },
    })
  }
  if (iommuGroup === undefined) throw noIommuError(text)
  const devices = `/sys/bus/pci/devices/${text}/vfio-dev`
  // Without character devices, and for a device without an IOMMU, the kernel names one that has no number.
  const cdev = listDirectory(devices).find((name) => existsSync(`${devices}/${name}/dev`))
  return { address: text, group: iommuGroup, cdev: cdev === undefined ? undefined : `/dev/vfio/devices/${cdev}` }
}
