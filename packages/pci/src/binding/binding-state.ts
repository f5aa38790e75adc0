import { parseDriverOverride } from '../sysfs/driver-override.ts'
import { devicePath } from '../sysfs/sysfs-path.ts'
import { readAttribute } from './attribute.ts'
import type { BindingContext } from './binding-context.ts'
import { currentDriver } from './current-driver.ts'

/** Which driver a function is bound to, and which one alone may bind it. */
export interface BindingState {
  readonly driver: string | undefined
  readonly override: string | undefined
}

/**
 * Reads a function's state. Not with a synchronous read: the kernel locks the device for `driver_override`, and whoever
 * reads it waits for a probe or removal that is going on.
 */
export async function readState(context: BindingContext): Promise<BindingState> {
  const driver = currentDriver(context.address, context)
  const path = devicePath(context, context.address, 'driver_override')
  const override = await readAttribute(context, { step: 'read driver_override', driver, path })
  return { driver, override: parseDriverOverride(override) }
}
