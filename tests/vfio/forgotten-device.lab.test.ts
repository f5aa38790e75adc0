import { isDeepStrictEqual } from 'node:util'
import { Domain } from '@openbar/iommu'
import { currentDriver } from '@openbar/pci'
import { bindRegisters, Device, defineRegisters } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { nicAddress } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const STATUS = 0x8
const SCRATCH = 0x5400
const registers = defineRegisters({
  STATUS: { offset: STATUS, access: 'ro', description: 'Device status (10.2.2.2 of the 82574 datasheet).' },
})

/** Opens a device in a frame of its own, so that nothing on this one's stack holds it. */
async function openAnd<Kept>(domain: Domain, keep: (device: Device) => Kept): Promise<Kept> {
  return keep(await Device.open(nicAddress('e1000e'), { domain, bind: true }))
}

describe.each(translating(backends))('a forgotten device, on %s', (backend) => {
  it('is closed and given back when it is collected, with a warning', async () => {
    const before = processState()
    const driver = currentDriver(nicAddress('e1000e'))
    using domain = await Domain.open({ backend })
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    await openAnd(domain, (device) => {
      device.config.command.busMasterEnable = true
      device.bar(0).map().read32(STATUS)
      device.interrupts.enable('msix')
    })
    expect(domain.snapshot().devices).toHaveLength(1)
    await collectGarbage(() => domain.snapshot().devices.length === 0 && currentDriver(nicAddress('e1000e')) === driver)
    process.off('warning', listen)
    expect(domain.snapshot().devices).toEqual([])
    expect(currentDriver(nicAddress('e1000e'))).toBe(driver)
    expect(warnings.map((warning) => ('code' in warning ? warning.code : warning))).toEqual([
      'OPENBAR_FORGOTTEN_DEVICE',
    ])
    expect(warnings[0]?.message).toContain(nicAddress('e1000e'))
    domain.close()
    // The last file that giving it back has open may still be closing.
    await collectGarbage(() => isDeepStrictEqual(processState(), before))
    expect(processState()).toEqual(before)
  })

  it.each<[string, (device: Device) => unknown]>([
    ['a window', (device) => device.bar(0).map()],
    ['an array of its registers', (device) => device.bar(0).map().u32],
    ['its config space', (device) => device.config],
    ['a region', (device) => device.bar(0)],
    ['a bound register', (device) => bindRegisters(registers, device.bar(0).map()).STATUS],
    ['its power', (device) => device.power],
    ['an ioeventfd', (device) => device.ioeventfd({ region: 0, offset: SCRATCH, width: 32, value: 1 })],
    ['its interrupts', (device) => device.interrupts],
    ['a vector', (device) => device.interrupts.enable('msix').vectors[0]],
    ['its command register', (device) => device.config.command],
  ])('is not forgotten while %s of it is held', async (_what, keep) => {
    using domain = await Domain.open({ backend })
    const held = [await openAnd(domain, keep)]
    for (let round = 0; round < 3; round += 1) await collectGarbage(() => true)
    await collectGarbage(() => domain.snapshot().devices.length === 0)
    expect(domain.snapshot().devices).toHaveLength(1)
    held.length = 0
    await collectGarbage(() => domain.snapshot().devices.length === 0)
    expect(domain.snapshot().devices).toEqual([])
    const address = nicAddress('e1000e')
    await collectGarbage(() => currentDriver(address) !== 'vfio-pci')
  })

  it('is not forgotten while somebody subscribes to its interrupts or events', async () => {
    using domain = await Domain.open({ backend })
    const subscriptions = await openAnd(domain, (device) => [
      device.interrupts.enable('msix').vectors[0].subscribe(() => {}),
      device.watch(() => {}),
    ])
    for (const subscription of subscriptions) {
      await collectGarbage(() => domain.snapshot().devices.length === 0)
      expect(domain.snapshot().devices).toHaveLength(1)
      subscription.close()
    }
    subscriptions.length = 0
    await collectGarbage(() => domain.snapshot().devices.length === 0)
    expect(domain.snapshot().devices).toEqual([])
    await collectGarbage(() => currentDriver(nicAddress('e1000e')) !== 'vfio-pci')
  })
})
