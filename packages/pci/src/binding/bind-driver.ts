import type { PciAddressLike } from '../address/pci-address.ts'
import { Binding } from './binding.ts'
import { bindingContext, checkDriverName } from './binding-context.ts'
import type { BindingOptions } from './binding-options.ts'
import { readState } from './binding-state.ts'
import { changeOrRollBack } from './change-or-roll-back.ts'

/**
 * Binds a function to a kernel driver, whatever driver has it now, and returns how to undo that. Needs root.
 *
 * The steps: `driver_override` names the driver, the old driver lets go, the bus probes, and each step's effect is
 * checked. When one fails, those before it are undone. A function that is bound to the driver already is left as it is,
 * and `restore()` then does nothing.
 *
 * Taking a device from its driver takes away what the system does with it: a network link, a disk.
 *
 * Source: kernel ABI, Documentation/ABI/testing/sysfs-bus-pci (`driver_override`, `unbind`, `drivers_probe`).
 *
 * @param driver - The driver's name, as `/sys/bus/pci/drivers` has it.
 * @throws `ERR_DRIVER_BINDING` naming the step that failed, with a hint: the module to load, root; `ERR_TIMEOUT` when
 * the kernel does not come back from a step, which a driver that hangs can cause; `ERR_NO_DEVICE`;
 * `ERR_INVALID_ARGUMENT`; the signal's reason.
 *
 * @example
 * ```ts
 * const binding = await bindDriver('0000:03:00.0', 'vfio-pci')
 * try {
 *   // drive the device
 * } finally {
 *   await binding.restore()
 * }
 * ```
 */
export async function bindDriver(
  address: PciAddressLike,
  driver: string,
  options: BindingOptions = {},
): Promise<Binding> {
  checkDriverName(driver)
  const context = bindingContext(address, options)
  context.signal?.throwIfAborted()
  const before = await readState(context)
  if (before.driver !== driver) await changeOrRollBack(context, before, { driver, override: driver })
  return new Binding(context, before, driver)
}
