import { spawnSync } from 'node:child_process'
import { bindDriver, currentDriver, readFunction } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { NICS, nicAddress } from '../support/nics.ts'

/** The kernel's drivers, which the lab does not load by itself. */
function modprobe(...words: string[]): void {
  const { status, stderr } = spawnSync('modprobe', words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`modprobe ${words.join(' ')}: ${stderr}`)
}

describe.each(NICS)("the $chip, bound to the kernel's $model first", ({ model }) => {
  beforeAll(() => modprobe(model))
  afterAll(() => modprobe('-r', model))

  it('is taken from its driver, and given back', async () => {
    const address = nicAddress(model)
    expect(readFunction(address).driver).toBe(model)
    {
      await using device = await Device.open(address, { bind: true })
      expect(readFunction(address).driver).toBe('vfio-pci')
      expect(device.bar(0).map().read32(8)).toBeGreaterThan(0)
    }
    expect(readFunction(address)).toMatchObject({ driver: model, driverOverride: undefined })
  })

  it('is opened by the first of two who want it at once, and given back when that one closes', async () => {
    const address = nicAddress(model)
    const [first, second] = await Promise.allSettled([
      Device.open(address, { bind: true }),
      Device.open(address, { bind: true }),
    ])
    if (first.status !== 'fulfilled' || second.status !== 'rejected') throw new Error('both or none were opened')
    expect(second.reason).toMatchObject({ code: expect.stringMatching(/^ERR_(GROUP|DEVICE)_BUSY$/) })
    expect(readFunction(address).driver).toBe('vfio-pci')
    // Opened while it is being closed: the driver gets it back in between, and then lets go of it once more.
    const closing = first.value.close()
    await using device = await Device.open(address, { bind: true })
    await closing
    expect(device.bar(0).map().read32(8)).toBeGreaterThan(0)
    await device.close()
    expect(readFunction(address).driver).toBe(model)
  })

  it('is named with its driver by an error, when taking it was not asked for', async () => {
    const error = await errorOf('ERR_NOT_BOUND', () => Device.open(nicAddress(model)))
    expect(error.message).toContain(`bound to ${model},`)
    expect(error.context.driver).toBe(model)
  })

  it('stays with its driver when the wanted one is not there', async () => {
    const address = nicAddress(model)
    const error = await errorOf('ERR_DRIVER_BINDING', () => bindDriver(address, 'no-such-driver'))
    expect(error.message).toContain('modprobe no-such-driver')
    expect(currentDriver(address)).toBe(model)
  })
})
