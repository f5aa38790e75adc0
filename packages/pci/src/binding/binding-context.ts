import { invalidArgument } from '@openbar/linux/errors'
import { PciAddress, type PciAddressLike } from '../address/pci-address.ts'
import type { BindingOptions } from './binding-options.ts'
import { type SysfsIo, sysfsIo } from './sysfs-io.ts'

/** A function and how to work on it: options, checked and with their defaults. */
export interface BindingContext {
  readonly address: PciAddress
  readonly sysfs: string
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  readonly io: SysfsIo
}

const TIMEOUT = 10_000
/** More would make Node's timers fire at once. */
const LONGEST = 2 ** 31 - 1

/** @throws `ERR_INVALID_ARGUMENT` when the address or the timeout is none. */
export function bindingContext(address: PciAddressLike, options: BindingOptions): BindingContext {
  const { sysfs = '/sys', timeout = TIMEOUT, signal, io = sysfsIo } = options
  if (!(timeout > 0 && timeout <= LONGEST)) {
    throw invalidArgument('timeout', timeout, `a positive number of milliseconds up to ${LONGEST}`)
  }
  return { address: PciAddress.from(address), sysfs, timeout, signal, io }
}

/** Refuses what could lead out of the drivers' directory or end the attribute's line. */
export function checkDriverName(driver: string): void {
  if (typeof driver !== 'string' || driver === '' || driver === '.' || driver === '..' || /[/\n\0]/.test(driver)) {
    throw invalidArgument('driver', driver, "a kernel driver's name, such as 'vfio-pci'")
  }
}
