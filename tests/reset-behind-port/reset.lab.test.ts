import { writeFileSync } from 'node:fs'
import { type BackendName, Domain } from '@openbar/iommu'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddresses } from '../support/nics.ts'

const STATUS = 0x0008
const RDBAL = 0x2800
const RING = 0x1234_5670
const [alone, first] = nicAddresses('e1000e') as [string, string]
/** The second function of the same device, which the row adds. */
const second = first.replace(/\.0$/, '.1')

async function open(backend: BackendName, address: string) {
  await using opening = new AsyncDisposableStack()
  const domain = opening.use(await Domain.open({ backend }))
  const device = opening.use(await Device.open(address, { domain, bind: true }))
  const opened = opening.move()
  return { device, domain, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

describe.each(backends)('an 82574L alone behind a port on %s', (backend) => {
  it('loses what its registers hold in a reset of its bus, and keeps its command register', async () => {
    await using opened = await open(backend, alone)
    const { device } = opened
    expect(device.resetMethods).toEqual({ function: true, methods: ['pm', 'bus'], hot: true })
    const choose = (methods: string) => writeFileSync(`/sys/bus/pci/devices/${alone}/reset_method`, methods)
    device.config.command.busMasterEnable = true
    const before = device.config.command.value
    choose('bus')
    try {
      expect(device.resetMethods.methods).toEqual(['bus'])
      device.bar(0).map().write32(RDBAL, RING)
      device.reset()
      expect(device.bar(0).map().read32(RDBAL)).toBe(0)
      expect(device.config.command.value).toBe(before)
    } finally {
      choose('default')
    }
  })

  it('can be hot-reset by itself', async () => {
    await using opened = await open(backend, alone)
    const { device } = opened
    const { vectors } = device.interrupts.enable('msix')
    device.config.command.busMasterEnable = true
    const before = device.config.command.value
    const window = device.bar(0).map()
    window.write32(RDBAL, RING)
    device.power.enter('D3hot')
    device.config.command.busMasterEnable = true
    const { devices } = device.hotReset()
    expect(devices.map(({ address }) => address)).toEqual([alone])
    expect(device.power.state).toBe('D0')
    expect(device.config.command.value).toBe(before)
    expect(device.bar(0).map().read32(RDBAL)).toBe(0)
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    await errorOf('ERR_CLOSED', () => vectors[0].trigger())
  })
})

describe.each(backends)('an 82574L with two functions on %s', (backend) => {
  it('is reset with both, each of which is ready for it', async () => {
    await using opened = await open(backend, first)
    const { device: one, domain } = opened
    const refusal = await errorOf('ERR_RESET_SCOPE', () => one.hotReset())
    expect(refusal.context.culprits).toEqual([{ address: second, driver: undefined }])
    const binding = await bindDriver(second, 'vfio-pci')
    await using _bound = { [Symbol.asyncDispose]: () => binding.restore() }
    await using other = await Device.open(second, { domain })
    expect(one.hotResetInfo()).toMatchObject({ possible: true, proof: backend === 'iommufd' ? 'context' : 'groups' })
    const windows = [one, other].map((device) => device.bar(0).map())
    for (const window of windows) window.write32(RDBAL, RING)
    const commands = [one, other].map((device) => {
      device.config.command.busMasterEnable = true
      return device.config.command.value
    })
    const { vectors } = other.interrupts.enable('msix', { vectors: 3 })
    const waiting = errorOf('ERR_CLOSED', () => vectors[2]?.wait({ timeout: 10_000 }))
    const { devices } = one.hotReset()
    expect(devices.map(({ address, open }) => [address, open])).toEqual([
      [first, true],
      [second, true],
    ])
    expect((await waiting).message).toContain(`the device was reset, with its bus, by way of ${first}`)
    for (const window of windows) await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect([one, other].map((device) => device.bar(0).map().read32(RDBAL))).toEqual([0, 0])
    expect([one, other].map((device) => device.config.command.value)).toEqual(commands)
    const again = other.interrupts.enable('msix', { vectors: 3 }).vectors
    again[2]?.trigger()
    expect(await again[2]?.wait({ timeout: 5000 })).toBe(1)
  })
})
