import { isOpenbarError } from '@openbar/linux/errors'
import { listDirectory } from '@openbar/linux/sysfs'
import { PciAddress } from '../address/pci-address.ts'
import type { PciFunction } from './pci-function.ts'
import { readFunction } from './read-function.ts'
import type { SysfsOptions } from './sysfs-options.ts'
import { busPath } from './sysfs-path.ts'

/**
 * All PCI functions of this machine, ordered by address; none where there is no sysfs. Needs no privileges.
 *
 * @example
 * ```ts
 * for (const fn of listFunctions()) {
 *   console.log(`${fn.address} ${fn.vendorId.toString(16)}:${fn.deviceId.toString(16)} ${fn.driver ?? '-'}`)
 * }
 * ```
 */
export function listFunctions(options: SysfsOptions = {}): PciFunction[] {
  return listDirectory(busPath(options, 'devices'))
    .map((name) => PciAddress.from(name))
    .sort(PciAddress.compare)
    .flatMap((address) => {
      try {
        return [readFunction(address, options)]
      } catch (error) {
        // Unplugged since the directory was listed.
        if (isOpenbarError(error, 'ERR_NO_DEVICE')) return []
        throw error
      }
    })
}
