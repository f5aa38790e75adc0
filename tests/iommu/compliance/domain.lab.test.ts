import { Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { differencesOf } from '../../support/backend-differences.ts'
import { backends } from '../../support/backends.ts'
import { errorOf } from '../../support/error-of.ts'
import { nicAddress } from '../../support/nics.ts'
import { processState } from '../../support/process-state.ts'

const PAGE = 4096
const MSI_WINDOW = 0xfee0_0000n

describe.each(backends)('a domain on %s', (backend) => {
  const openNic = (domain: Domain) => Device.open(nicAddress('e1000e'), { domain, bind: true })

  it('opens empty, and belongs to no device', async () => {
    await using domain = await Domain.open({ backend })
    expect(domain.snapshot()).toMatchObject({ backend, state: 'open', devices: [], mappings: [], pinnedBytes: 0 })
  })

  it('maps before its first device, and the mappings are made when it comes', async () => {
    await using domain = await Domain.open({ backend })
    const buffer = domain.allocate(2 * PAGE)
    expect(domain.snapshot().mappings).toMatchObject([{ state: differencesOf(backend).withoutDevice }])
    await using device = await openNic(domain)
    expect(domain.snapshot()).toMatchObject({
      devices: [device.address],
      mappings: [{ iova: buffer.iova, size: 2 * PAGE, state: 'mapped' }],
      pinnedBytes: 2 * PAGE,
    })
  })

  it('maps at the IOVA that the caller picks, and unmap says what it removed', async () => {
    await using domain = await Domain.open({ backend })
    await using _device = await openNic(domain)
    const memory = MappedMemory.anonymous(4 * PAGE)
    const mapping = domain.map(memory, { iova: 0x4000_0000, access: 'read' })
    expect(mapping).toMatchObject({ iova: 0x4000_0000n, last: 0x4000_3fffn, access: 'read' })
    expect(domain.unmap(mapping)).toBe(4 * PAGE)
    expect(domain.snapshot().mappings).toEqual([])
    memory.revoke()
  })

  it('knows its ranges once a device is in it, without the interrupt window', async () => {
    await using domain = await Domain.open({ backend })
    await using _device = await openNic(domain)
    const ranges = domain.snapshot().ranges ?? []
    expect(ranges.length).toBeGreaterThan(0)
    expect(ranges.some(({ start, last }) => start <= MSI_WINDOW && MSI_WINDOW <= last)).toBe(false)
    const memory = MappedMemory.anonymous(PAGE)
    const error = await errorOf('ERR_IOVA_RANGE', () => domain.map(memory, { iova: MSI_WINDOW }))
    expect(error.message).toContain('0xfee00000-0xfee00fff')
    expect(error.context.ranges).toEqual(ranges)
    memory.revoke()
  })

  it('refuses what is misaligned, overlapping or not mapped, and nothing changes', async () => {
    await using domain = await Domain.open({ backend })
    await using _device = await openNic(domain)
    const memory = MappedMemory.anonymous(2 * PAGE)
    domain.map(memory, { iova: 0x1000_0000 })
    const before = domain.snapshot()
    await errorOf('ERR_IOVA_ALIGNMENT', () => domain.map(memory, { iova: 0x2000_0001 }))
    await errorOf('ERR_IOVA_IN_USE', () => domain.map(memory, { iova: 0x1000_1000 }))
    await errorOf('ERR_IOVA_RANGE', () => domain.map(memory, { iova: 0xffff_ffff_ffff_f000n }))
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0x1000_0000, size: PAGE }))
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0x3000_0000, size: PAGE }))
    expect(domain.snapshot()).toEqual(before)
    memory.revoke()
  })

  it('is shared by two devices, whose memory is pinned once', async () => {
    await using domain = await Domain.open({ backend })
    await using first = await openNic(domain)
    await using second = await Device.open(nicAddress('e1000'), { domain, bind: true })
    domain.allocate(PAGE)
    expect(domain.snapshot()).toMatchObject({ devices: [first.address, second.address], pinnedBytes: PAGE })
  })

  it('closed while in use: its methods throw, its buffers live until the last device has left', async () => {
    const domain = await Domain.open({ backend })
    const device = await openNic(domain)
    const buffer = domain.allocate(PAGE)
    domain.close()
    await errorOf('ERR_CLOSED', () => domain.allocate(PAGE))
    buffer.u32[0] = 0x1234_5678
    expect(domain.snapshot()).toMatchObject({ state: 'closing', devices: [device.address], pinnedBytes: PAGE })
    await device.close()
    expect(domain.snapshot()).toMatchObject({ state: 'closed', mappings: [] })
    expect(buffer.closed).toBe(true)
    expect(buffer.u32.length).toBe(0)
  })

  it('remembers its mappings when the last device leaves, and makes them for the next', async () => {
    await using domain = await Domain.open({ backend })
    const first = await openNic(domain)
    const buffer = domain.allocate(PAGE)
    await first.close()
    expect(domain.snapshot().mappings).toMatchObject([
      { iova: buffer.iova, state: differencesOf(backend).withoutDevice },
    ])
    await using _second = await openNic(domain)
    expect(domain.snapshot().mappings).toMatchObject([{ iova: buffer.iova, state: 'mapped' }])
  })

  it('lets an unmapped address fail and a mapped one work, in one domain of two', async () => {
    await using one = await Domain.open({ backend })
    await using other = await Domain.open({ backend })
    await using _first = await openNic(one)
    await using _second = await Device.open(nicAddress('e1000'), { domain: other, bind: true })
    const memory = MappedMemory.anonymous(PAGE)
    one.map(memory, { iova: 0x5000_0000 })
    other.map(memory, { iova: 0x5000_0000 })
    await errorOf('ERR_IOVA_IN_USE', () => one.map(memory, { iova: 0x5000_0000 }))
    expect(other.unmap({ iova: 0x5000_0000, size: PAGE })).toBe(PAGE)
    expect(one.snapshot().mappings).toHaveLength(1)
    one.unmap({ iova: 0x5000_0000, size: PAGE })
    memory.revoke()
  })

  it('leaves nothing behind: files, locked and pinned memory are as before', async () => {
    const round = async () => {
      await using domain = await Domain.open({ backend })
      await using device = await openNic(domain)
      domain.allocate(16 * PAGE)
      device.bar(0).map().read32(8)
      device.interrupts.enable('msix', { vectors: 3 })
    }
    await round()
    const before = processState()
    for (let count = 0; count < 5; count += 1) await round()
    expect(processState()).toEqual(before)
  })
})
