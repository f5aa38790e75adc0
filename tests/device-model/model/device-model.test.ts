import { describe, expect, it } from 'vitest'
import { DeviceModel } from './device-model.ts'
import { BufferModel, DomainModel } from './domain-model.ts'
import { BUS_MASTER, MEMORY, type NicFacts } from './facts.ts'
import { WindowModel } from './view-model.ts'

const bar = { size: 0x20000, readable: true, writable: true, mapped: true }
const facts: NicFacts = {
  address: '0000:00:02.0',
  model: 'e1000e',
  regions: [bar],
  resettable: true,
  d3hot: true,
  lowPower: true,
  vectors: { intx: 1, msi: 1, msix: 5 },
  resizable: true,
  signals: 2,
  command: 0x103,
  line: 11,
  powerControl: 0xcc,
  deviceControl: 0xe8,
  eventWidths: [8, 16, 32],
  features: '{}',
}

function joined(backend: DomainModel['backend'] = 'iommufd') {
  const domain = new DomainModel(backend)
  const device = new DeviceModel(facts)
  device.join(domain)
  const window = new WindowModel(0, bar)
  device.views.add(window)
  return { domain, device, window }
}

describe('the model of a device', () => {
  it('cannot be reached without a domain, in low power and when it was closed', () => {
    const device = new DeviceModel(facts)
    expect(device.unreachable).toBe('ERR_NO_DOMAIN')
    device.join(new DomainModel('iommufd'))
    expect(device.unreachable).toBeUndefined()
    device.enterLowPower(false)
    expect([device.unjoined, device.unreachable]).toEqual([undefined, 'ERR_LOW_POWER'])
    device.close()
    expect(device.unreachable).toBe('ERR_CLOSED')
  })

  it('loses its windows with its memory, and maps none until it is back', () => {
    const { device, window } = joined()
    device.writeCommand(device.command & ~MEMORY)
    expect([window.closed, device.mapRefusal(0)]).toEqual([true, 'ERR_REGION'])
    device.writeCommand(device.command | MEMORY)
    expect(device.mapRefusal(0)).toBeUndefined()
    expect(window.accessRefusal(0, 4)).toBe('ERR_CLOSED')
  })

  it('keeps windows in a move of one step, and loses them in any other', () => {
    const { device, window, domain } = joined()
    const second = new DomainModel('iommufd')
    device.move(second)
    expect([window.closed, domain.devices.size, second.devices.size]).toEqual([false, 0, 1])
    device.move(new DomainModel('type1'))
    expect(window.closed).toBe(true)
  })

  it('comes out of a reset with its command register, and out of D3hot without bus mastering', () => {
    const { device } = joined()
    device.writeCommand(device.command | BUS_MASTER)
    device.interrupts.enable('msix', 2, 0)
    device.reset()
    expect([device.command & BUS_MASTER, device.interrupts.kind]).toEqual([BUS_MASTER, undefined])
    device.enterPower('D3hot')
    device.enterPower('D0')
    expect(device.command & BUS_MASTER).toBe(0)
  })

  it('ends a private domain with itself', () => {
    const { device, domain } = joined()
    device.own = true
    device.close()
    expect(domain.state).toBe('closed')
  })
})

describe('the model of a domain', () => {
  it('refuses what overlaps, and what would cut a mapping or take a buffer away', () => {
    const { domain } = joined()
    domain.map({ iova: 0x2000, size: 0x2000, buffer: undefined })
    domain.map({ iova: 0x8000, size: 0x1000, buffer: new BufferModel() })
    expect(domain.mapRefusal(0x3000, 0x1000)).toBe('ERR_IOVA_IN_USE')
    expect(domain.mapRefusal(0x4000, 0x1000)).toBeUndefined()
    expect(domain.unmapRefusal(0x3000, 0x1000)).toBe('ERR_NOT_MAPPED')
    expect(domain.unmapRefusal(0x8000, 0x1000)).toBe('ERR_DOMAIN_STATE')
    expect(domain.pinned).toBe(0x3000)
    expect(domain.unmap(0x2000, 0x2000)).toBe(0x2000)
  })

  it('lives on with its last device after it was closed, and takes its buffers with it', () => {
    const { domain, device } = joined()
    const buffer = new BufferModel()
    domain.map({ iova: 0, size: 0x1000, buffer })
    domain.close()
    expect([domain.state, domain.refusal, buffer.closed]).toEqual(['closing', 'ERR_CLOSED', false])
    device.unset()
    expect([domain.state, buffer.closed, domain.pinned]).toEqual(['closed', true, 0])
  })
})

describe('the model of interrupts', () => {
  it('counts what nobody hears, and loses what a parked vector would have had', () => {
    const { device } = joined()
    const [vector] = device.interrupts.enable('msix', 1, 0)
    vector!.raise()
    vector!.parked = true
    vector!.raise()
    expect(vector!.take()).toBe(1)
    device.interrupts.disable()
    expect(vector!.refusal).toBe('ERR_CLOSED')
  })

  it('has room for what was reserved, and for more where the kernel resizes', () => {
    const { device } = joined()
    device.interrupts.enable('msix', 1, 1)
    expect([device.interrupts.addRefusal(4), device.interrupts.addRefusal(5)]).toEqual([undefined, 'ERR_INTERRUPT'])
    const fixed = new DeviceModel({ ...facts, resizable: false })
    fixed.interrupts.enable('msix', 1, 1)
    expect([fixed.interrupts.addRefusal(1), fixed.interrupts.addRefusal(2)]).toEqual([undefined, 'ERR_INTERRUPT'])
  })
})
