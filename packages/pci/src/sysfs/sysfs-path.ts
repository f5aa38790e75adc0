import { join } from 'node:path'
import type { PciAddress } from '../address/pci-address.ts'
import type { SysfsOptions } from './sysfs-options.ts'

/** A path below sysfs's PCI bus directory (kernel ABI: Documentation/ABI/testing/sysfs-bus-pci). */
export function busPath(options: SysfsOptions, ...parts: readonly string[]): string {
  return join(options.sysfs ?? '/sys', 'bus/pci', ...parts)
}

/** A function's sysfs directory, or an attribute in it. */
export function devicePath(options: SysfsOptions, address: PciAddress, ...parts: readonly string[]): string {
  return busPath(options, 'devices', address.toString(), ...parts)
}

/** A driver's sysfs directory, or an attribute in it. */
export function driverPath(options: SysfsOptions, driver: string, ...parts: readonly string[]): string {
  return busPath(options, 'drivers', driver, ...parts)
}
