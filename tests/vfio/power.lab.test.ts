import { writeFileSync } from 'node:fs'
import { waitUntil } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'

const STATUS = 0x0008

/** As an administrator does who keeps the kernel from suspending a device, and lets it do so again. */
function wakeFromOutside(address: string): void {
  for (const control of ['on', 'auto']) writeFileSync(`/sys/bus/pci/devices/${address}/power/control`, control)
}

describe.each(backends)('power states on %s', (backend) => {
  it('are those of the capability', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { power } = opened.device
    expect(power.support).toMatchObject({ states: ['D0', 'D3hot'], keepsState: false })
    expect(power.state).toBe('D0')
  })

  it('take windows, interrupts and bus mastering away on the way down', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    device.config.command.busMasterEnable = true
    const window = device.bar(0).map()
    const { vectors } = device.interrupts.enable('msix')
    device.power.enter('D3hot')
    expect(device.power.state).toBe('D3hot')
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect((await errorOf('ERR_CLOSED', () => vectors[0].trigger())).message).toContain('the device was put into D3hot')
    expect((await errorOf('ERR_REGION', () => device.bar(0).map())).message).toContain('D3')
    expect(device.config.command.busMasterEnable).toBe(false)
    device.power.enter('D3hot')
    device.power.enter('D0')
    expect(device.power.state).toBe('D0')
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
    expect(device.config.command.busMasterEnable).toBe(false)
  })

  it('let no window be opened that the kernel would not let touch the memory', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    device.power.enter('D3hot')
    device.config.command.memorySpaceEnable = false
    device.power.enter('D0')
    // The kernel has put the register back, and goes by what was written: a touch would end the process.
    expect((await errorOf('ERR_REGION', () => device.bar(0).map())).message).toContain('decoding')
    device.config.command.memorySpaceEnable = true
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('that a device does not have are refused, and change nothing', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const window = device.bar(0).map()
    const error = await errorOf('ERR_NOT_SUPPORTED', () => device.power.enter('D1'))
    expect(error.message).toContain('it has D0, D3hot')
    await errorOf('ERR_INVALID_ARGUMENT', () => device.power.enter('D3cold' as 'D3hot'))
    expect(window.read32(STATUS)).toBeGreaterThan(0)
  })

  it('are D0 and nothing else without the capability', async () => {
    await using opened = await openDevice('e1000', backend)
    const { power } = opened.device
    expect(power.support.states).toEqual(['D0'])
    expect(power.state).toBe('D0')
    power.enter('D0')
    await errorOf('ERR_NOT_SUPPORTED', () => power.enter('D3hot'))
    if (power.support.lowPower) {
      power.enterLowPower()
      await errorOf('ERR_LOW_POWER', () => power.enter('D0'))
      power.exitLowPower()
    }
    opened.device.unsetDomain()
    await errorOf('ERR_NO_DOMAIN', () => power.state)
    await errorOf('ERR_NO_DOMAIN', () => power.enter('D0'))
  })
})

describe.each(backends)('low power on %s', (backend) => {
  const suspended = (device: { readonly power: { readonly state: string } }) =>
    waitUntil(() => device.power.state !== 'D0', { timeout: 10_000, waitedFor: 'the device to be suspended' })

  it('lets no access through, and is left again', async (context) => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    if (!device.power.support.lowPower) context.skip('This kernel has no low power.')
    device.config.command.busMasterEnable = true
    const window = device.bar(0).map()
    const words = window.u32
    const { vectors } = device.interrupts.enable('msix')
    device.power.enterLowPower()
    expect(device.power.lowPower).toBe(true)
    expect((await errorOf('ERR_CLOSED', () => vectors[0].trigger())).message).toContain('the device entered low power')
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect(words.length).toBe(0)
    for (const call of [
      () => device.bar(0),
      () => device.region(7).map(),
      () => device.config.command.value,
      () => device.config.vendorId,
      () => device.interrupts.enable('msix'),
      () => device.reset(),
      () => device.hotResetInfo(),
      () => device.features,
      () => device.power.support,
      () => device.power.enter('D3hot'),
      () => device.power.enterLowPower(),
      () => device.ioeventfd({ region: 0, offset: 0, width: 32, value: 0 }),
    ]) {
      expect((await errorOf('ERR_LOW_POWER', call)).message).toContain(device.address)
    }
    await suspended(device)
    expect(device.power.lowPower).toBe(true)
    device.power.exitLowPower()
    device.power.exitLowPower()
    expect(device.power.lowPower).toBe(false)
    expect(device.power.state).toBe('D0')
    expect(device.config.command.busMasterEnable).toBe(false)
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('tells when the device was woken by somebody else, and is over then', async (context) => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    if (!device.power.support.wakeUp) context.skip('This kernel has no low power.')
    device.power.enterLowPower({ wakeUp: true })
    await suspended(device)
    const timeout = await errorOf('ERR_TIMEOUT', () => device.power.waitForWakeUp({ timeout: 50 }))
    expect(timeout.message).toContain(device.address)
    const woken = device.power.waitForWakeUp({ timeout: 10_000 })
    wakeFromOutside(device.address)
    await woken
    expect(device.power.lowPower).toBe(false)
    expect(device.power.state).toBe('D0')
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
    device.power.enterLowPower({ wakeUp: true })
    await suspended(device)
    wakeFromOutside(device.address)
    // Without anybody who waits, too.
    expect(device.power.lowPower).toBe(false)
    await device.power.waitForWakeUp({ timeout: 0 })
  })

  it('ends every wait', async (context) => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    if (!device.power.support.wakeUp) context.skip('This kernel has no low power.')
    device.power.enterLowPower()
    await errorOf('ERR_INVALID_ARGUMENT', () => device.power.waitForWakeUp({ timeout: 10 }))
    device.power.exitLowPower()
    device.power.enterLowPower({ wakeUp: true })
    const exited = device.power.waitForWakeUp({ timeout: 10_000 })
    device.power.exitLowPower()
    await exited
    device.power.enterLowPower({ wakeUp: true })
    const reason = new Error('enough')
    await expect(device.power.waitForWakeUp({ timeout: 10_000, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
    const closed = errorOf('ERR_CLOSED', () => device.power.waitForWakeUp({ timeout: 10_000 }))
    await device.close()
    await closed
  })

  it('is left when the device is, and leaves nothing behind', async (context) => {
    {
      await using opened = await openDevice('e1000e', backend)
      if (!opened.device.power.support.wakeUp) context.skip('This kernel has no low power.')
    }
    const before = processState()
    for (const wakeUp of [false, true]) {
      await using opened = await openDevice('e1000e', backend)
      const { device, domain } = opened
      device.power.enterLowPower({ wakeUp })
      device.unsetDomain()
      device.setDomain(domain)
      expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
      device.power.enterLowPower({ wakeUp })
    }
    expect(processState()).toEqual(before)
  })

  it('is refused where the kernel suspends nothing', async (context) => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    if (device.power.support.lowPower) context.skip('This kernel has low power.')
    const window = device.bar(0).map()
    await errorOf('ERR_NOT_SUPPORTED', () => device.power.enterLowPower())
    expect(window.read32(STATUS)).toBeGreaterThan(0)
  })
})
