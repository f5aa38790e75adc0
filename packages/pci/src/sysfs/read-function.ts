import { readLinkName, readNumber, readText } from '@openbar/linux/sysfs'
import { PciAddress, type PciAddressLike } from '../address/pci-address.ts'
import { parseDriverOverride } from './driver-override.ts'
import { noDeviceError } from './no-device-error.ts'
import type { PciFunction } from './pci-function.ts'
import { type PciBar, parseResource } from './resource.ts'
import type { SysfsOptions } from './sysfs-options.ts'
import { devicePath } from './sysfs-path.ts'

const BARS = 6

/**
 * Reads what sysfs tells about a function. Needs no privileges and does not touch the device.
 *
 * @throws `ERR_INVALID_ARGUMENT` when `address` is none; `ERR_NO_DEVICE`, with near candidates, when nothing is there.
 *
 * @example
 * ```ts
 * const nic = readFunction('0000:03:00.0')
 * console.log(nic.driver, nic.iommuGroup, nic.bars[0]?.size) // e1000e 12 131072
 * ```
 */
export function readFunction(address: PciAddressLike, options: SysfsOptions = {}): PciFunction {
  const at = PciAddress.from(address)
  const attribute = (name: string): string => devicePath(options, at, name)
  const required = (name: string): number => {
    const value = readNumber(attribute(name))
    // The function can be unplugged between two reads; it is then as absent as if it never had been there.
    if (value === undefined) throw noDeviceError(at, options)
    return value
  }
  const group = readLinkName(attribute('iommu_group'))
  const node = readNumber(attribute('numa_node'))
  return {
    address: at,
    vendorId: required('vendor'),
    deviceId: required('device'),
    subsystemVendorId: required('subsystem_vendor'),
    subsystemId: required('subsystem_device'),
    revisionId: required('revision'),
    classCode: required('class'),
    driver: readLinkName(attribute('driver')),
    get driverOverride() {
      return parseDriverOverride(readText(attribute('driver_override')))
    },
    iommuGroup: group === undefined ? undefined : Number(group),
    numaNode: node === undefined || node < 0 ? undefined : node,
    ...readResources(attribute('resource')),
  }
}

function readResources(path: string): Pick<PciFunction, 'bars' | 'expansionRom'> {
  const lines = readText(path)?.split('\n') ?? []
  const bars = lines.slice(0, BARS).flatMap((line, index): PciBar[] => {
    const resource = parseResource(line)
    return resource === undefined ? [] : [{ index, ...resource }]
  })
  return { bars, expansionRom: parseResource(lines[BARS] ?? '') }
}
