import { Domain } from '@openbar/iommu'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddresses } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const STATUS = 0x0008
const RDBAL = 0x2800
const RING = 0x1234_5670
const [first, second] = nicAddresses('e1000') as [string, string]

async function bindSecond() {
  const binding = await bindDriver(second, 'vfio-pci')
  return { [Symbol.asyncDispose]: () => binding.restore() }
}

describe.each(translating(backends))('a hot reset of two NICs behind one bridge on %s', (backend) => {
  const proof = backend === 'iommufd' ? 'context' : 'groups'

  it('names both beforehand, and resets both', async () => {
    await using _bound = await bindSecond()
    await using domain = await Domain.open({ backend })
    await using one = await Device.open(first, { domain, bind: true })
    await using other = await Device.open(second, { domain })
    const { group } = one
    const info = one.hotResetInfo()
    expect(info).toEqual({
      available: true,
      possible: true,
      proof,
      devices: [first, second].map((address) => ({ address, group, driver: 'vfio-pci', owned: true, open: true })),
    })
    expect(one.resetMethods).toMatchObject({ function: false, hot: true })
    const commands = [one, other].map((device) => {
      device.config.command.busMasterEnable = true
      return device.config.command.value
    })
    const windows = [one, other].map((device) => device.bar(0).map())
    for (const window of windows) window.write32(RDBAL, RING)
    const { vectors } = other.interrupts.enable('intx')
    const waiting = errorOf('ERR_CLOSED', () => vectors[0].wait({ timeout: 10_000 }))
    expect(one.hotReset()).toEqual(info)
    const { message } = await waiting
    expect(message).toContain('the device was reset')
    expect(message).toContain(first)
    for (const window of windows) await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect([one, other].map((device) => device.config.command.value)).toEqual(commands)
    expect([one, other].map((device) => device.bar(0).map().read32(RDBAL))).toEqual([0, 0])
    expect([one, other].map((device) => device.power.state)).toEqual(['D0', 'D0'])
    other.interrupts.enable('intx')
    other.hotReset()
  })

  it('resets a neighbour that is not open, for its group is', async () => {
    await using _bound = await bindSecond()
    await using domain = await Domain.open({ backend })
    await using one = await Device.open(first, { domain, bind: true })
    const { devices, possible } = one.hotResetInfo()
    expect(possible).toBe(true)
    expect(devices.find(({ address }) => address === second)).toMatchObject({ owned: true, open: false })
    one.bar(0).map().write32(RDBAL, RING)
    one.hotReset()
    expect(one.bar(0).map().read32(RDBAL)).toBe(0)
  })

  it('is refused with a neighbour that has no VFIO driver, who is named, and changes nothing', async () => {
    await using domain = await Domain.open({ backend })
    await using one = await Device.open(first, { domain, bind: true })
    one.config.command.busMasterEnable = true
    const window = one.bar(0).map()
    window.write32(RDBAL, RING)
    const { devices, possible } = one.hotResetInfo()
    expect(possible).toBe(false)
    expect(devices.map(({ address, owned }) => [address, owned])).toEqual([
      [first, true],
      [second, false],
    ])
    const error = await errorOf('ERR_RESET_SCOPE', () => one.hotReset())
    expect(error.context).toEqual({ address: first, culprits: [{ address: second, driver: undefined }] })
    expect(error.message).toContain(`${second} (bound to no driver)`)
    expect(window.read32(RDBAL)).toBe(RING)
    expect(one.config.command.busMasterEnable).toBe(true)
  })

  it('wakes a neighbour from low power, and D3hot, where it has them', async () => {
    await using _bound = await bindSecond()
    await using domain = await Domain.open({ backend })
    await using one = await Device.open(first, { domain, bind: true })
    await using other = await Device.open(second, { domain })
    if (other.power.support.lowPower) other.power.enterLowPower()
    one.hotReset()
    expect(other.power.lowPower).toBe(false)
    expect(other.power.state).toBe('D0')
    expect(other.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('leaves nothing behind', async () => {
    await using _bound = await bindSecond()
    await using domain = await Domain.open({ backend })
    await using one = await Device.open(first, { domain, bind: true })
    await using other = await Device.open(second, { domain })
    one.hotReset()
    const before = processState()
    for (let round = 0; round < 3; round += 1) {
      one.bar(0).map()
      other.bar(0).map()
      other.interrupts.enable('intx')
      one.hotReset()
    }
    expect(processState()).toEqual(before)
  })
})
