import { readText } from '@openbar/linux'

/** What the kernel's power management makes of a device, beyond VFIO. */
export interface RuntimePower {
  /**
   * `active`, `suspended`, or on its way to either; `unsupported` when it is never suspended; `undefined` where the kernel has no
   * runtime power management (CONFIG_PM), or sysfs cannot be read.
   */
  readonly status: string | undefined
  /** The state that the kernel has put it into: `D0`, `D3hot`, `D3cold`, `unknown`; `undefined` where sysfs cannot be read. */
  readonly state: string | undefined
}

const DEVICES = '/sys/bus/pci/devices'

/** Reads it from sysfs, which wakes no device. */
export function readRuntimePower(address: string, devices = DEVICES): RuntimePower {
  return {
    status: readText(`${devices}/${address}/power/runtime_status`),
    state: readText(`${devices}/${address}/power_state`),
  }
}

/**
 * Whether this kernel suspends no device at all: sysfs shows the device, and not the status that it has with CONFIG_PM. VFIO lets
 * devices enter low power there too, and nothing comes of it.
 */
export function lacksRuntimePower(address: string, devices = DEVICES): boolean {
  const { status } = readRuntimePower(address, devices)
  return status === undefined && readText(`${devices}/${address}/vendor`) !== undefined
}
