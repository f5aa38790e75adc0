import { Domain, PageTable } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { differencesOf, translating } from '../../support/backend-differences.ts'
import { backends } from '../../support/backends.ts'
import { errorOf } from '../../support/error-of.ts'
import { nicAddress } from '../../support/nics.ts'
import { pinnedBytes } from '../../support/pinned-bytes.ts'
import { processState } from '../../support/process-state.ts'
import { loopFrame, RawNic } from '../../support/raw-nic.ts'
import { shareDevice } from '../../support/shared-device.ts'

const PAGE = 4096
const FRAME = 60

describe.each(translating(backends))('sharing on %s', (backend) => {
  const { sharesMappings, choosesPageTables, dirtyTracking } = differencesOf(backend)
  const shared = shareDevice(backend)

  /** Has the shared NIC send a frame, and receives it. */
  async function expectDma(nic: RawNic, payload: number): Promise<void> {
    using buffer = shared.domain.allocate(PAGE)
    const frame = loopFrame(FRAME, payload)
    buffer.bytes.set(frame)
    expect(await nic.transfer({ from: buffer.iova, length: FRAME, into: buffer.iova + 1024n })).toBe(FRAME)
    expect(buffer.bytes.subarray(1024, 1024 + FRAME)).toEqual(frame)
  }

  it('a mapping of another domain, pinned once, or refused', async () => {
    const { domain } = shared
    await using other = await Domain.open({ backend })
    await using _device = await Device.open(nicAddress('e1000'), { domain: other, bind: true })
    const memory = MappedMemory.anonymous(4 * PAGE)
    const before = pinnedBytes(backend)
    const mapping = domain.map(memory, { iova: 0x4000_0000, access: 'read' })
    const state = [domain.snapshot(), other.snapshot(), processState()]
    const refused = async (...[code, call]: Parameters<typeof errorOf>) => {
      await errorOf(code, call)
      expect([domain.snapshot(), other.snapshot(), processState()]).toEqual(state)
    }
    if (!sharesMappings) {
      await refused('ERR_NOT_SUPPORTED', () => other.mapFrom(domain, mapping, { iova: 0x5000_0000, access: 'read' }))
      domain.unmap(mapping)
      memory.revoke()
      return
    }
    await refused('ERR_INVALID_ARGUMENT', () => other.mapFrom(domain, mapping, { iova: 0x5000_0000 }))
    await refused('ERR_NOT_MAPPED', () => other.mapFrom(domain, { iova: 0x4000_0000, size: PAGE }, { iova: 0 }))
    await refused('ERR_IOVA_RANGE', () => other.mapFrom(domain, mapping, { iova: 0xfee0_0000, access: 'read' }))
    const copy = other.mapFrom(domain, mapping, { iova: 0x5000_0000, access: 'read' })
    expect(copy).toMatchObject({ iova: 0x5000_0000n, size: 4 * PAGE, access: 'read', memory })
    expect(pinnedBytes(backend) - before).toBe(4 * PAGE)
    expect(domain.unmap(mapping)).toBe(4 * PAGE)
    expect(pinnedBytes(backend) - before).toBe(4 * PAGE)
    expect(other.unmap(copy)).toBe(4 * PAGE)
    expect(pinnedBytes(backend)).toBe(before)
    memory.revoke()
  })

  it('mappings with a domain of another context or interface is refused', async () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(PAGE)
    const mapping = domain.map(memory, { iova: 0x4000_0000 })
    for (const options of [{ backend, isolated: true }, { backend: 'type1' }] as const) {
      await using other = await Domain.open(options)
      await errorOf('ERR_NOT_SUPPORTED', () => other.mapFrom(domain, mapping, { iova: 0x4000_0000 }))
      expect(other.snapshot().mappings).toEqual([])
    }
    domain.unmap(mapping)
    memory.revoke()
  })

  it("a page table of one's own keeps DMA going, or there is none and DMA goes on", async () => {
    const { device, domain } = shared
    const { attachment } = device
    await using nic = await RawNic.start(device)
    await expectDma(nic, 0x11)
    const { iommufd } = domain
    if (iommufd === undefined || attachment.deviceId === undefined) {
      expect([choosesPageTables, iommufd, attachment.deviceId]).toEqual([false, undefined, undefined])
      await errorOf('ERR_NOT_SUPPORTED', () => attachment.usePageTable(undefined))
    } else if (choosesPageTables) {
      const table = PageTable.allocate(iommufd, attachment.deviceId)
      attachment.usePageTable(table)
      await expectDma(nic, 0x22)
      await errorOf('ERR_DOMAIN_STATE', () => table.close())
      await expectDma(nic, 0x33)
      attachment.usePageTable(undefined)
      table.close()
      await errorOf('ERR_CLOSED', () => attachment.usePageTable(table))
    } else {
      const { ranges } = domain.snapshot()
      const { deviceId } = attachment
      await errorOf('ERR_NOT_SUPPORTED', () => PageTable.allocate(iommufd, deviceId))
      expect(domain.snapshot().ranges).toEqual(ranges)
    }
    await expectDma(nic, 0x44)
  })

  it('tells what devices wrote, or says that it cannot and leaves all as it was', async () => {
    const { device, domain } = shared
    await using nic = await RawNic.start(device)
    const buffer = domain.allocate(4 * PAGE)
    const before = [domain.snapshot(), processState()]
    if (dirtyTracking === 'none') {
      await errorOf('ERR_NOT_SUPPORTED', () => domain.dirtyTracking)
    } else if (dirtyTracking === 'works') {
      const tracking = domain.dirtyTracking
      await errorOf('ERR_DOMAIN_STATE', () => tracking.read(buffer.iova, buffer.size))
      tracking.start()
      expect(domain.dirtyTracking.on).toBe(true)
      await expectDma(nic, 0x55)
      // A container takes all for written that a plain device could have written.
      expect(tracking.read(buffer.iova, buffer.size)).toEqual([{ iova: buffer.iova, size: 4 * PAGE }])
      tracking.stop()
      expect(tracking.on).toBe(false)
    } else {
      await errorOf('ERR_NOT_SUPPORTED', () => domain.dirtyTracking.start())
      expect(domain.dirtyTracking.on).toBe(false)
    }
    expect([domain.snapshot(), processState()]).toEqual(before)
    await expectDma(nic, 0x66)
    buffer.close()
  })
})
