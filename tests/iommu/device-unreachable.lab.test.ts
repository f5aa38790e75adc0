import type { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openDevice } from '../support/open-device.ts'

const STATUS = 0x0008
const LINK_UP = 1 << 1
const COMMAND = 0x04
const MEMORY_SPACE = 1 << 1
const CONFIG_REGION = 7

function capabilityOf(device: Device, kind: 'powerManagement' | 'pciExpress'): number {
  const found = device.config.capabilities().find(kind)
  if (found === undefined) throw new Error(`${device.address} has no ${kind}.`)
  return found.offset
}

/** A view that was transferred away from a window: only the pages under it keep it from being a bus error. */
function steal(device: Device): Uint32Array {
  return new Uint32Array(device.bar(0).map().u32.buffer.transfer())
}

// Each of these, let through, is a SIGBUS that ends the process.
describe.each(backends)('memory that cannot be reached, on %s', (backend) => {
  it('is not mapped while its decoding is switched off', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const stolen = steal(device)
    device.config.command.memorySpaceEnable = false
    expect(stolen[STATUS / 4]).toBe(0)
    const error = await errorOf('ERR_REGION', () => device.bar(0).map())
    expect(error.message).toContain('memory decoding is switched off')
    device.config.command.memorySpaceEnable = true
    expect(device.bar(0).map().read32(STATUS) & LINK_UP).toBe(LINK_UP)
  })

  it('is taken away and not mapped outside D0', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const window = device.bar(0).map()
    const stolen = steal(device)
    const control = capabilityOf(device, 'powerManagement') + 4
    device.config.access.write16(control, 3)
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect(stolen[STATUS / 4]).toBe(0)
    const error = await errorOf('ERR_REGION', () => device.bar(0).map())
    expect(error.message).toContain('D3')
    device.config.access.write16(control, 0)
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('is taken away by a function level reset through config space, as by reset()', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const window = device.bar(0).map()
    const stolen = steal(device)
    const [vector] = device.interrupts.enable('msi').vectors
    const waiting = errorOf('ERR_CLOSED', () => vector.wait({ timeout: 60_000 }))
    const control = capabilityOf(device, 'pciExpress') + 8
    device.config.access.write16(control, device.config.access.read16(control) | 0x8000)
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect(stolen[STATUS / 4]).toBe(0)
    await waiting
    expect(device.interrupts.enabled).toBeUndefined()
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('is taken away by a write through a window onto config space too, which itself goes on', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const words = device.bar(0).map().u32
    const config = device.region(CONFIG_REGION).map()
    expect(config.read16(0)).toBe(0x8086)
    const command = config.read16(COMMAND)
    config.write8(COMMAND, command & ~MEMORY_SPACE)
    expect(words.length).toBe(0)
    config.write16(COMMAND, command)
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
    device.unsetDomain()
    await errorOf('ERR_CLOSED', () => config.read16(0))
  })

  it('stays harmless to who has transferred a view away, after the device is closed', async () => {
    const opened = await openDevice('e1000e', backend)
    const stolen = steal(opened.device)
    expect(stolen[STATUS / 4]).not.toBe(0)
    await opened[Symbol.asyncDispose]()
    expect(stolen[STATUS / 4]).toBe(0)
    stolen[STATUS / 4] = 7
    expect(stolen[STATUS / 4]).toBe(7)
  })
})
