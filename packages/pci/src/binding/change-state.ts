import { existsSync } from 'node:fs'
import { readLinkName } from '@openbar/linux/sysfs'
import { busPath, devicePath, driverPath } from '../sysfs/sysfs-path.ts'
import { writeAttribute } from './attribute.ts'
import type { BindingContext } from './binding-context.ts'
import { type BindingStep, bindingError } from './binding-error.ts'
import { type BindingState, readState } from './binding-state.ts'
import { currentDriver } from './current-driver.ts'

/**
 * Brings a function from its state into another, step by step, and checks each step's effect. Stops at the first that
 * fails.
 *
 * The override is set before the old driver lets go, so that nobody else binds the function in between, and stays at
 * the wanted driver until that is bound: a probe then asks this driver and no other. An ID that the driver knows is
 * still preferred to the override's dummy one (pci_match_device() in drivers/pci/pci-driver.c), so that old drivers get
 * their device as before.
 *
 * @param beforeStep - Called before each change; may throw to stop.
 */
export async function changeState(
  context: BindingContext,
  target: BindingState,
  beforeStep: () => void = () => {},
): Promise<void> {
  const now = await readState(context)
  const rebind = now.driver !== target.driver
  if (rebind && target.driver !== undefined) {
    findDriver(context, target.driver)
    if (now.override !== target.driver) {
      beforeStep()
      await setOverride(context, 'set driver_override', target.driver)
    }
  }
  if (rebind && now.driver !== undefined) {
    beforeStep()
    await unbind(context, now.driver)
  }
  if (rebind && target.driver !== undefined) {
    beforeStep()
    await probe(context, target.driver)
  }
  const { override } = await readState(context)
  if (override !== target.override) {
    beforeStep()
    await setOverride(context, 'restore driver_override', target.override)
  }
}

function findDriver(context: BindingContext, driver: string): void {
  if (existsSync(driverPath(context, driver))) return
  throw bindingError(context, {
    step: 'find driver',
    driver,
    what: `the kernel has no PCI driver ${driver}.`,
    hint: `Load it: modprobe ${driver}`,
  })
}

async function setOverride(context: BindingContext, step: BindingStep, driver: string | undefined): Promise<void> {
  const path = devicePath(context, context.address, 'driver_override')
  // An empty line clears it; an empty write would not reach the kernel.
  await writeAttribute(context, { step, driver, path }, `${driver ?? ''}\n`)
  const { override } = await readState(context)
  if (override !== driver) {
    throw bindingError(context, {
      step,
      driver,
      what: `driver_override is ${override ?? 'none'} after it was written.`,
    })
  }
}

async function unbind(context: BindingContext, driver: string): Promise<void> {
  const path = driverPath(context, driver, 'unbind')
  await writeAttribute(context, { step: 'unbind', driver, path }, context.address.toString())
  const left = currentDriver(context.address, context)
  if (left === undefined) return
  throw bindingError(context, { step: 'unbind', driver, what: `${left} still has the device.` })
}

async function probe(context: BindingContext, driver: string): Promise<void> {
  const path = busPath(context, 'drivers_probe')
  await writeAttribute(context, { step: 'probe', driver, path }, context.address.toString())
  const bound = currentDriver(context.address, context)
  if (bound === driver) return
  throw bindingError(context, {
    step: 'probe',
    driver,
    what: bound === undefined ? `${driver} refused the device.` : `${bound} took the device.`,
    hint: refusalHint(context, driver),
  })
}

function refusalHint(context: BindingContext, driver: string): string {
  if (driver.startsWith('vfio') && readLinkName(devicePath(context, context.address, 'iommu_group')) === undefined) {
    return `The device is in no IOMMU group, which ${driver} needs: switch the IOMMU on, in firmware and in the kernel.`
  }
  return 'The kernel log may say why: dmesg | tail'
}
