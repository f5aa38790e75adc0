import { type Fd, isOpenbarError, readText } from '@openbar/linux'
import { readDependentDevices } from './dependent-devices.ts'

/**
 * A way to reset a function, as the kernel names it: `flr` and `af_flr` are function level resets, `pm` goes through D3hot and
 * back, `bus` resets the bus of a function that is alone on it, and `device_specific`, `acpi` and `cxl_bus` are what they say.
 */
export type ResetMethod = 'device_specific' | 'acpi' | 'flr' | 'af_flr' | 'pm' | 'bus' | 'cxl_bus' | (string & {})

/** How a device can be reset. */
export interface ResetMethods {
  /** Whether `device.reset()` can work: VFIO found a way to reset this function alone. */
  readonly function: boolean
  /**
   * The ways that the kernel found for the function alone when it found the function, in the order in which it tries them; `bus`
   * may stand there although others have come to the bus since. `undefined` where the kernel does not tell (before Linux 5.15), or
   * sysfs cannot be read.
   */
  readonly methods: readonly ResetMethod[] | undefined
  /** Whether the device's bus or slot can be reset, with all that is on it; whose those devices are is another matter. */
  readonly hot: boolean
}

/**
 * How a device can be reset.
 *
 * @param resettable - What VFIO says of the function.
 */
export function readResetMethods(fd: Fd<'device'>, address: string, resettable: boolean): ResetMethods {
  return {
    function: resettable,
    methods: readFunctionResetMethods(resettable, `/sys/bus/pci/devices/${address}`),
    hot: readDependentDevices(fd, address) !== undefined,
  }
}

/**
 * The kernel's ways to reset a function, from its sysfs directory.
 *
 * @see Documentation/ABI/testing/sysfs-bus-pci: `reset_method` is absent where there is none
 */
export function readFunctionResetMethods(resettable: boolean, directory: string): readonly ResetMethod[] | undefined {
  const text = readOrUndefined(`${directory}/reset_method`)
  if (text !== undefined) return text.split(/\s+/).filter((word) => word !== '')
  // Without a way there is no such file; nor is there one where the kernel does not tell.
  return !resettable && readOrUndefined(`${directory}/vendor`) !== undefined ? [] : undefined
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readText(path)
  } catch (error) {
    if (isOpenbarError(error, 'ERR_PERMISSION')) return undefined
    throw error
  }
}
