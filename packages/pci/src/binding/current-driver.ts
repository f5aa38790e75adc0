import { existsSync } from 'node:fs'
import { readLinkName } from '@openbar/linux/sysfs'
import { PciAddress, type PciAddressLike } from '../address/pci-address.ts'
import { noDeviceError } from '../sysfs/no-device-error.ts'
import type { SysfsOptions } from '../sysfs/sysfs-options.ts'
import { devicePath } from '../sysfs/sysfs-path.ts'

/**
 * The kernel driver that a function is bound to, `undefined` for none.
 *
 * @throws `ERR_INVALID_ARGUMENT` when `address` is none; `ERR_NO_DEVICE`, with near candidates, when nothing is there.
 *
 * @example
 * ```ts
 * currentDriver('0000:03:00.0') // 'e1000e'
 * ```
 */
export function currentDriver(address: PciAddressLike, options: SysfsOptions = {}): string | undefined {
  const at = PciAddress.from(address)
  const driver = readLinkName(devicePath(options, at, 'driver'))
  if (driver === undefined && !existsSync(devicePath(options, at))) throw noDeviceError(at, options)
  return driver
}
