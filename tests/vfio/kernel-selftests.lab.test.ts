import { readFileSync } from 'node:fs'
import { Domain } from '@openbar/iommu'
import { addressOf } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { type ProcessState, processState } from '../support/process-state.ts'

const COMMAND = 0x04
const BUS_MASTER = 1 << 2
const CONFIG_REGION = 7
/** As many as the kernel's own test switches on. */
const MOST_MESSAGES = 16
const MESSAGES = [
  { model: 'e1000e', kind: 'msi' },
  { model: 'e1000e', kind: 'msix' },
] as const

// What the kernel's selftests assert of devices where no other test of ours says just that; docs/kernel-selftests.md has the table.
describe.each(backends)('a device as the kernel tests it, on %s', (backend) => {
  let before: ProcessState
  beforeEach(() => {
    before = processState()
  })
  afterEach(() => expect(processState()).toEqual(before))

  it.each(NICS)('has the ids that sysfs has, and its bus master bit off, on and off: $chip', async ({ model }) => {
    await using opened = await openDevice(model, backend)
    const { config } = opened.device
    const inSysfs = (name: string) =>
      Number.parseInt(readFileSync(`/sys/bus/pci/devices/${opened.device.address}/${name}`, 'utf8'), 16)
    expect(config.access.read16(0)).toBe(inSysfs('vendor'))
    expect(config.access.read16(2)).toBe(inSysfs('device'))
    const command = config.access.read16(COMMAND)
    expect(command & BUS_MASTER).toBe(0)
    config.access.write16(COMMAND, command | BUS_MASTER)
    expect(config.access.read16(COMMAND) & BUS_MASTER).toBe(BUS_MASTER)
    config.access.write16(COMMAND, command)
    expect(config.access.read16(COMMAND)).toBe(command)
  })

  it.each(NICS)('has its BARs mapped where the kernel lets them be, and only there: $chip', async ({ model }) => {
    await using opened = await openDevice(model, backend)
    const { device } = opened
    let mapped = 0
    for (const index of [0, 1, 2, 3, 4, 5]) {
      const region = device.region(index)
      if (region.size === 0) {
        await errorOf('ERR_REGION', () => device.bar(index))
        continue
      }
      using window = device.bar(index).map()
      expect(window.size).toBe(region.size)
      expect(window.mapped).toBe(region.info.mappableAreas.length > 0)
      if (window.mapped) mapped += 1
    }
    expect(mapped).toBeGreaterThan(0)
    expect(device.region(CONFIG_REGION).info.mappableAreas).toEqual([])
  })

  it.each(MESSAGES)('has $kind switched on, each triggered once and counted once, and off', async ({ model, kind }) => {
    await using opened = await openDevice(model, backend)
    const { interrupts } = opened.device
    const count = Math.min(interrupts.info(kind).count, MOST_MESSAGES)
    const { vectors } = interrupts.enable(kind, { vectors: count })
    expect(vectors.length).toBe(count)
    for (const vector of vectors) {
      vector.trigger()
      expect(await vector.wait({ timeout: 5000 })).toBe(1)
      for (const other of vectors) await errorOf('ERR_TIMEOUT', () => other.wait({ timeout: 5 }))
    }
    interrupts.disable()
    expect(interrupts.enabled).toBeUndefined()
    await errorOf('ERR_CLOSED', () => vectors[0].trigger())
  })

  it('is opened beside another one at the same time, in one domain', async () => {
    await using domain = await Domain.open({ backend })
    const opening = NICS.map(({ model }) => Device.open(nicAddress(model), { domain, bind: true }))
    const devices = await Promise.all(opening)
    expect(domain.snapshot().devices.toSorted()).toEqual(devices.map(({ address }) => address).toSorted())
    for (const device of devices) expect(device.config.vendorId).toBe(0x8086)
    await Promise.all(devices.map((device) => device.close()))
  })
})

describe.each(translating(backends))("a BAR's memory on %s", (backend) => {
  it('is mapped for other devices on type1 alone', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device, domain } = opened
    const { u8 } = device.bar(0).map()
    const whole = { address: addressOf(u8), size: u8.byteLength }
    for (const memory of [whole, { ...whole, size: 4096 }]) {
      if (backend === 'type1') {
        domain.map(memory, { iova: 0x1000_0000 })
        expect(domain.unmap({ iova: 0x1000_0000, size: memory.size })).toBe(memory.size)
      } else {
        await errorOf('ERR_MEMORY_KIND', () => domain.map(memory, { iova: 0x1000_0000 }))
        await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0x1000_0000, size: memory.size }))
      }
    }
  })
})
