import { Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { beforeEach, describe, expect, it } from 'vitest'
import { differencesOf, translating } from '../../support/backend-differences.ts'
import { backends } from '../../support/backends.ts'
import { errorOf } from '../../support/error-of.ts'
import { nicAddress } from '../../support/nics.ts'
import { processState } from '../../support/process-state.ts'
import { loopFrame, RawNic } from '../../support/raw-nic.ts'

const PAGE = 4096
const FRAME = 60
const STATUS = 8
const FROM = 0x4000_0000n
const INTO = 0x5000_0000n
const MSI_WINDOW = 0xfee0_0000n

/** Memory of a domain's own at the two addresses that the NIC uses in every domain. */
function prepare(domain: Domain, payload: number) {
  const sent = domain.allocate(PAGE, { iova: FROM, access: 'read' })
  const received = domain.allocate(PAGE, { iova: INTO })
  sent.bytes.set(loopFrame(FRAME, payload))
  return { received, frame: loopFrame(FRAME, payload) }
}

describe.each(translating(backends))('moving a device on %s', (backend) => {
  const { movesInOneStep, outOfReach } = differencesOf(backend)
  const openNic = (domain: Domain) => Device.open(nicAddress('e1000e'), { domain, bind: true })
  let before: ReturnType<typeof processState>
  beforeEach(() => {
    before = processState()
    return () => expect(processState()).toEqual(before)
  })

  it('takes it from the memory of one domain to that of the other', async () => {
    await using one = await Domain.open({ backend })
    await using other = await Domain.open({ backend })
    await using device = await openNic(one)
    const [here, there] = [prepare(one, 0x11), prepare(other, 0x22)]
    const nic = await RawNic.start(device)
    const transfer = (by: RawNic) => by.transfer({ from: FROM, length: FRAME, into: INTO })
    expect(await transfer(nic)).toBe(FRAME)
    expect(here.received.bytes.subarray(0, FRAME)).toEqual(here.frame)
    here.received.bytes.fill(0)
    const window = device.bar(0).map()
    const [vector] = device.interrupts.enable('msix', { vectors: 1 }).vectors
    if (movesInOneStep) other.map(nic.ring.memory, { iova: nic.ring.iova })

    device.setDomain(other)

    expect([one.snapshot().devices, other.snapshot().devices]).toEqual([[], [device.address]])
    expect(device.domain).toBe(other)
    if (movesInOneStep) {
      expect(window.read32(STATUS)).toBeGreaterThan(0)
      expect(device.config.command.busMasterEnable).toBe(true)
      vector.trigger()
      expect(await vector.wait({ timeout: 5000 })).toBe(1)
      expect(await transfer(nic)).toBe(FRAME)
      await nic[Symbol.asyncDispose]()
    } else {
      await errorOf('ERR_CLOSED', () => window.read32(STATUS))
      await errorOf('ERR_CLOSED', () => vector.trigger())
      expect(device.config.command.busMasterEnable).toBe(false)
      await using again = await RawNic.start(device)
      expect(await transfer(again)).toBe(FRAME)
    }
    expect(there.received.bytes.subarray(0, FRAME)).toEqual(there.frame)
    expect(here.received.bytes.every((byte) => byte === 0)).toBe(true)
  })

  it('goes by way of none to a domain of another context, and works there', async () => {
    await using one = await Domain.open({ backend })
    await using other = await Domain.open({ backend, isolated: true })
    await using device = await openNic(one)
    const there = prepare(other, 0x33)
    const window = device.bar(0).map()
    const words = window.u32
    device.setDomain(other)
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect(words.length).toBe(0)
    await using nic = await RawNic.start(device)
    expect(await nic.transfer({ from: FROM, length: FRAME, into: INTO })).toBe(FRAME)
    expect(there.received.bytes.subarray(0, FRAME)).toEqual(there.frame)
  })

  it('to an empty domain leaves one in which memory can be mapped', async () => {
    await using one = await Domain.open({ backend })
    await using other = await Domain.open({ backend })
    await using device = await openNic(one)
    const ranges = one.snapshot().ranges
    device.setDomain(other)
    expect(other.snapshot().ranges).toEqual(ranges)
    const there = prepare(other, 0x44)
    await using nic = await RawNic.start(device)
    expect(await nic.transfer({ from: FROM, length: FRAME, into: INTO })).toBe(FRAME)
    expect(there.received.bytes.subarray(0, FRAME)).toEqual(there.frame)
  })

  it('out and in again, and there and back', async () => {
    await using one = await Domain.open({ backend })
    await using other = await Domain.open({ backend })
    await using device = await openNic(one)
    device.unsetDomain()
    device.unsetDomain()
    await errorOf('ERR_NO_DOMAIN', () => device.bar(0))
    expect(one.snapshot().devices).toEqual([])
    device.setDomain(other)
    for (const domain of [one, other, one]) {
      device.setDomain(domain)
      expect(device.domain).toBe(domain)
      expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
    }
    expect([one.snapshot().devices, other.snapshot().devices]).toEqual([[device.address], []])
  })

  it('to a closed domain is refused, and nothing changes', async () => {
    await using one = await Domain.open({ backend })
    const closed = await Domain.open({ backend })
    closed.close()
    await using device = await openNic(one)
    const window = device.bar(0).map()
    const snapshot = one.snapshot()
    await errorOf('ERR_CLOSED', () => device.setDomain(closed))
    expect(one.snapshot()).toEqual(snapshot)
    expect(device.domain).toBe(one)
    expect(window.read32(STATUS)).toBeGreaterThan(0)
    device.unsetDomain()
    await errorOf('ERR_CLOSED', () => device.setDomain(closed))
    expect(closed.snapshot().devices).toEqual([])
  })

  it('out of a domain that was closed meanwhile ends that', async () => {
    const one = await Domain.open({ backend })
    await using other = await Domain.open({ backend })
    await using device = await openNic(one)
    const buffer = one.allocate(PAGE)
    one.close()
    device.setDomain(other)
    expect([one.snapshot().state, buffer.closed]).toEqual(['closed', true])
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('to a domain with a mapping that it cannot reach is refused, and it is where it was', async () => {
    await using one = await Domain.open({ backend })
    await using other = await Domain.open({ backend })
    const memory = MappedMemory.anonymous(PAGE)
    // Nobody can tell before a device comes that its interrupts go there.
    other.map(memory, { iova: MSI_WINDOW })
    const empty = other.snapshot()
    await using device = await openNic(one)
    const window = device.bar(0).map()
    const snapshot = one.snapshot()
    await errorOf(outOfReach, () => device.setDomain(other))
    expect(other.snapshot()).toEqual(empty)
    expect(one.snapshot()).toEqual(snapshot)
    expect(device.domain).toBe(one)
    // By way of none it had left before the kernel was asked, and its windows with it.
    if (movesInOneStep) expect(window.read32(STATUS)).toBeGreaterThan(0)
    else await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
    other.unmapAll()
    device.setDomain(other)
    expect(device.domain).toBe(other)
    memory.revoke()
  })

  it('out of its private domain closes that once it has arrived, and not before', async () => {
    const memory = MappedMemory.anonymous(PAGE)
    await using other = await Domain.open({ backend: backend === 'iommufd' ? 'type1' : backend })
    other.map(memory, { iova: MSI_WINDOW })
    await using device = await Device.open(nicAddress('e1000e'), { bind: true })
    const own = device.domain
    await errorOf(differencesOf(other.backend).outOfReach, () => device.setDomain(other))
    expect(own.snapshot()).toMatchObject({ state: 'open', devices: [device.address] })
    expect(device.domain).toBe(own)
    other.unmapAll()
    device.setDomain(other)
    expect(own.snapshot().state).toBe('closed')
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
    memory.revoke()
  })
})
