import type { PciAddressLike } from '../address/pci-address.ts'
import { Binding } from './binding.ts'
import { bindingContext } from './binding-context.ts'
import type { BindingOptions } from './binding-options.ts'
import { readState } from './binding-state.ts'
import { changeOrRollBack } from './change-or-roll-back.ts'

/**
 * Takes a function from its driver, leaving it with none, and returns how to undo that. Needs root. `driver_override`
 * stays as it is.
 *
 * @throws As `bindDriver`.
 *
 * @example
 * ```ts
 * const binding = await unbindDriver('0000:03:00.0')
 * await binding.restore() // e1000e has it again
 * ```
 */
export async function unbindDriver(address: PciAddressLike, options: BindingOptions = {}): Promise<Binding> {
  const context = bindingContext(address, options)
  context.signal?.throwIfAborted()
  const before = await readState(context)
  await changeOrRollBack(context, before, { driver: undefined, override: before.override })
  return new Binding(context, before, undefined)
}
