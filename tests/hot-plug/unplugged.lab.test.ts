import { existsSync } from 'node:fs'
import { Domain } from '@openbar/iommu'
import { describeLab, type GuestQmp, openQmp } from '@openbar/lab/guest'
import { Device, waitUntil } from '@openbar/vfio'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { processState } from '../support/process-state.ts'

const MINUTE = 60_000
const STATUS = 0x8
const IMC = 0xd8

const [nic] = describeLab().devices
if (nic === undefined) throw new Error('This guest has no NIC behind a port.')
const { id, address, qemuBus } = nic
const there = () => existsSync(`/sys/bus/pci/devices/${address}`)

/** What a program may call of a device, whatever has become of it. */
const CALLS: readonly (readonly [name: string, call: (device: Device, domain: Domain) => unknown])[] = [
  ['config', (device) => device.config.vendorId],
  ['info', (device) => device.info],
  ['bar', (device) => device.bar(0).map()],
  ['region', (device) => device.region(7).map()],
  ['enable', (device) => device.interrupts.enable('msix')],
  ['interrupt info', (device) => device.interrupts.info('msi')],
  ['reset', (device) => device.reset()],
  ['hotReset', (device) => device.hotReset()],
  ['hotResetInfo', (device) => device.hotResetInfo()],
  ['power', (device) => device.power.enter('D3hot')],
  ['ioeventfd', (device) => device.ioeventfd({ region: 0, offset: 0, width: 32, value: 0 })],
  ['features', (device) => device.features],
  ['attachment', (device) => device.attachment],
  ['domain', (device) => device.domain],
]

describe.each(backends)('a device that is being unplugged, on %s', (backend) => {
  let qmp: GuestQmp
  beforeAll(async () => {
    qmp = await openQmp()
  })
  afterAll(() => qmp[Symbol.dispose]())
  // Here, so that the next test has its device whatever has become of this one.
  let removal: Promise<void> | undefined
  afterEach(async () => {
    await removal
    await plugIn()
  }, MINUTE)

  /** Has QEMU ask for the device back. Answers when it is gone. */
  async function unplug(): Promise<{ gone: () => Promise<void> }> {
    const removed = qmp.waitFor('DEVICE_DELETED', { where: (data) => data['device'] === id, timeoutMs: 60_000 })
    await qmp.execute('device_del', { id })
    const gone = async () => {
      await removed
      await waitUntil(() => !there(), { timeout: 10_000, waitedFor: `${address} to be removed` })
    }
    removal = gone()
    removal.catch(() => {})
    return { gone: () => removal! }
  }

  async function plugIn(): Promise<void> {
    await qmp.execute('device_add', { driver: nic!.model, id, bus: qemuBus, netdev: 'net0' })
    await waitUntil(there, { timeout: 10_000, waitedFor: `${address} to come back` })
  }

  it(
    'works until the program answers, but for resets, also for what it begins only then',
    async () => {
      await using domain = await Domain.open({ backend })
      await using device = await Device.open(address!, { domain, bind: true })
      const window = device.bar(0).map()
      const asked = device.events().next()
      const { gone } = await unplug()
      expect((await asked).value).toMatchObject({ type: 'release-request' })
      expect(device.poll()).toBe(false)
      expect(window.read32(STATUS)).not.toBe(0xffff_ffff)
      expect(device.config.vendorId).toBe(0x8086)
      device.bar(0).map().write32(IMC, 0xffff_ffff)
      const { vectors } = device.interrupts.enable('msix', { vectors: 2 })
      vectors[1]!.trigger()
      expect(await vectors[1]!.wait({ timeout: 5000 })).toBe(1)
      // Whoever unplugs it has it locked: refused, and nothing changes.
      expect((await errorOf('ERR_DEVICE_BUSY', () => device.reset())).message).toContain('asked for it back')
      await errorOf('ERR_DEVICE_BUSY', () => device.hotReset())
      expect(window.read32(STATUS)).not.toBe(0xffff_ffff)
      device.interrupts.trigger([1])
      expect(await vectors[1]!.wait({ timeout: 5000 })).toBe(1)
      expect(there()).toBe(true)
      await device.close()
      await gone()
    },
    2 * MINUTE,
  )

  it(
    'has left when the program only took it out of its domain, and says so when it is set again',
    async () => {
      await using domain = await Domain.open({ backend })
      await using device = await Device.open(address!, { domain, bind: true })
      const asked = device.events().next()
      const { gone } = await unplug()
      await asked
      device.unsetDomain()
      await gone()
      for (const [, call] of CALLS) await errorOf('ERR_NO_DOMAIN', () => call(device, domain))
      expect((await errorOf('ERR_NO_DEVICE', () => device.setDomain(domain))).message).toContain(address)
      expect(device.poll()).toBe(false)
      expect(domain.snapshot().devices).toEqual([])
      await device.close()
    },
    2 * MINUTE,
  )

  it(
    'is closed when the program does not answer, and then everything says why',
    async () => {
      const before = processState()
      const domain = await Domain.open({ backend })
      const device = await Device.open(address!, { domain, bind: true })
      const window = device.bar(0).map()
      const words = window.u32
      const config = device.region(7).map()
      const { vectors } = device.interrupts.enable('msix', { vectors: 2 })
      const waiting = errorOf('ERR_CLOSED', () => vectors[0].wait({ timeout: MINUTE }))
      const { gone } = await unplug()
      await gone()
      expect(device.closed).toBe(true)
      for (const [, call] of CALLS) {
        const error = await errorOf('ERR_CLOSED', () => call(device, domain))
        expect(error.message).toContain(`${address} was closed: the kernel asked for it back`)
      }
      await errorOf('ERR_CLOSED', () => device.setDomain(domain))
      await errorOf('ERR_CLOSED', () => device.watch(() => {}))
      await waiting
      for (const call of [
        () => window.read32(STATUS),
        () => window.write32(STATUS, 0),
        () => config.read16(0),
        () => vectors[0].trigger(),
        () => vectors[1]!.wait({ timeout: 1000 }),
        () => vectors[1]!.parkLossy(),
      ]) {
        await errorOf('ERR_CLOSED', call)
      }
      expect(words.length).toBe(0)
      expect(device.interrupts.enabled).toBeUndefined()
      device.interrupts.disable()
      device.unsetDomain()
      expect(device.poll()).toBe(false)
      await device.close()
      await errorOf('ERR_NO_DEVICE', () => Device.open(address!, { domain, bind: true }))
      domain.close()
      expect(processState()).toEqual(before)
    },
    2 * MINUTE,
  )
})
