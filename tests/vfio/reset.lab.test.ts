import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'

const STATUS = 0x0008
const RDBAL = 0x2800
const RING = 0x1234_5670

describe.each(backends)('a reset on %s', (backend) => {
  it('is possible in the ways that the kernel names', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { function: possible, methods, hot } = opened.device.resetMethods
    expect(possible).toBe(true)
    // QEMU's 82574L has no function level reset.
    expect(methods).toEqual(['pm'])
    // It stands on the root bus, which nothing can reset.
    expect(hot).toBe(false)
  })

  it('leaves the command register as it was', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const { command } = device.config
    command.busMasterEnable = true
    command.parityErrorResponse = true
    const before = command.value
    device.reset()
    expect(command.value).toBe(before)
    command.busMasterEnable = false
    device.reset()
    expect(command.busMasterEnable).toBe(false)
    expect(device.power.state).toBe('D0')
  })

  it('takes windows and interrupts away before, and says that it was a reset', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const window = device.bar(0).map()
    const words = window.u32
    const ports = device.bar(2).map()
    const event = device.ioeventfd({ region: 0, offset: RDBAL, width: 32, value: RING })
    const { vectors } = device.interrupts.enable('msix', { vectors: 2 })
    const waiting = errorOf('ERR_CLOSED', () => vectors[1]?.wait({ timeout: 10_000 }))
    device.reset()
    expect((await waiting).message).toContain('the device was reset')
    expect((await errorOf('ERR_CLOSED', () => vectors[0].trigger())).message).toContain('the device was reset')
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    await errorOf('ERR_CLOSED', () => ports.read32(0))
    await errorOf('ERR_CLOSED', () => event.signal())
    expect(words.length).toBe(0)
    expect(device.interrupts.enabled).toBeUndefined()
    const again = device.interrupts.enable('msix', { vectors: 2 }).vectors
    again[1]?.trigger()
    expect(await again[1]?.wait({ timeout: 5000 })).toBe(1)
    device.reset()
  })

  it('brings a device back from D3hot', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    device.power.enter('D3hot')
    device.reset()
    expect(device.power.state).toBe('D0')
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('of a function that cannot be reset alone is refused, and changes nothing', async () => {
    await using opened = await openDevice('e1000', backend)
    const { device } = opened
    expect(device.resetMethods).toEqual({ function: false, methods: [], hot: false })
    device.config.command.busMasterEnable = true
    const window = device.bar(0).map()
    await errorOf('ERR_NOT_SUPPORTED', () => device.reset())
    expect(window.read32(STATUS)).toBeGreaterThan(0)
    expect(device.config.command.busMasterEnable).toBe(true)
  })

  it('of the root bus is refused, and changes nothing', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    expect(device.hotResetInfo()).toEqual({ available: false, devices: [], possible: false, proof: 'groups' })
    const window = device.bar(0).map()
    const error = await errorOf('ERR_NOT_SUPPORTED', () => device.hotReset())
    expect(error.message).toContain(device.address)
    expect(window.read32(STATUS)).toBeGreaterThan(0)
  })

  it('needs a domain, and an open device', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const calls = [
      () => device.reset(),
      () => device.hotReset(),
      () => device.hotResetInfo(),
      () => device.resetMethods,
    ]
    device.unsetDomain()
    for (const call of calls) await errorOf('ERR_NO_DOMAIN', call)
    await device.close()
    for (const call of calls) await errorOf('ERR_CLOSED', call)
  })

  it('leaves nothing behind', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    device.reset()
    const before = processState()
    for (let round = 0; round < 5; round += 1) {
      device.bar(0).map()
      device.ioeventfd({ region: 0, offset: RDBAL, width: 32, value: RING })
      device.interrupts.enable('msi')
      device.reset()
    }
    expect(processState()).toEqual(before)
  })
})
