import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { Domain, formatWorld, groups, kernelInterfaces, world } from '@openbar/iommu'
import { MappedMemory, physicalAddresses } from '@openbar/linux'
import { readFunction } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { startChild } from '../support/child.ts'
import { errorOf } from '../support/error-of.ts'
import { hugepagePool, setHugepages } from '../support/hugepage-pool.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { NOIOMMU_SWITCH, switchNoIommuMode } from '../support/noiommu-switch.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'
import { reaches } from '../support/transmit.ts'

const PAGE = 4096
const HUGE = 2 * 1024 * 1024
const POOL = 4

describe.each(backends)('a domain on %s', (backend) => {
  beforeAll(() => setHugepages(POOL))
  afterAll(() => setHugepages(0))

  it('is never picked by itself', async () => {
    expect(kernelInterfaces()[backend]).toBe(true)
    using domain = await Domain.open()
    expect(domain.backend).not.toBe(backend)
  })

  it('cannot be opened where the mode is off, and says which switch it is', async () => {
    using _off = switchNoIommuMode(false)
    const error = await errorOf('ERR_NO_BACKEND', () => Domain.open({ backend }))
    expect(error.context).toEqual({ backend })
    expect(error.hint).toContain(`echo Y > ${NOIOMMU_SWITCH}`)
  })

  it('binds no device that the mode was switched off for meanwhile', async () => {
    const address = nicAddress('e1000e')
    using domain = await Domain.open({ backend })
    using _off = switchNoIommuMode(false)
    const before = readFunction(address)
    await errorOf('ERR_NO_IOMMU', () => Device.open(address, { domain, bind: true }))
    expect(readFunction(address)).toEqual(before)
  })

  it('maps nothing, picks no address, tracks nothing and has no page tables', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { domain, device } = opened
    const memory = MappedMemory.anonymous(PAGE)
    using other = await Domain.open({ backend })
    const buffer = other.allocate(PAGE)
    await errorOf('ERR_NOT_SUPPORTED', () => domain.map(memory, { iova: 0x1000_0000 }))
    await errorOf('ERR_NOT_SUPPORTED', () => domain.pickIova(PAGE))
    await errorOf('ERR_NOT_SUPPORTED', () => domain.allocate(PAGE, { iova: 0x1000_0000 }))
    await errorOf('ERR_NOT_SUPPORTED', () => domain.mapFrom(other, buffer, { iova: 0x1000_0000 }))
    await errorOf('ERR_NOT_SUPPORTED', () => domain.dirtyTracking)
    await errorOf('ERR_NOT_SUPPORTED', () => device.attachment.usePageTable(undefined))
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0x1000_0000, size: PAGE }))
    expect([domain.unmapAll(), domain.iommufd, domain.snapshot().mappings]).toEqual([0, undefined, []])
    buffer.close()
    memory.revoke()
  })

  it.each([
    ['anonymous', false],
    ['memfd', true],
  ])('gives buffers of one hugepage each, at their physical address: %s', async (_, shared) => {
    using domain = await Domain.open({ backend })
    const buffer = domain.allocate(PAGE, { shared })
    expect(buffer).toMatchObject({ size: HUGE, pageSize: HUGE, physicalAddress: buffer.iova })
    expect(buffer.iova % BigInt(HUGE)).toBe(0n)
    expect(hugepagePool(HUGE).free).toBe(POOL - 1)
    const places = () => physicalAddresses(buffer.memory.address, HUGE)
    const inOnePiece = Array.from({ length: HUGE / PAGE }, (_, index) => buffer.iova + BigInt(index * PAGE))
    expect(places()).toEqual(inOnePiece)
    // A child could get a copy, or the page itself, with the parent's next write.
    spawnSync('true')
    buffer.u32.fill(1)
    expect(places()).toEqual(inOnePiece)
    buffer.close()
    buffer.close()
    expect(buffer.bytes).toHaveLength(0)
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it.each(NICS)('lets a device reach it there, also what was allocated before it came: $chip', async ({ model }) => {
    await using domain = await Domain.open({ backend })
    const early = domain.allocate(PAGE)
    await using device = await Device.open(nicAddress(model), { domain, bind: true })
    const late = domain.allocate(PAGE, { maxIova: 0xffff_ffffn, align: HUGE })
    for (const { iova, u32: words } of [early, late]) {
      expect(reaches(device, device.bar(0).map(), { iova, words })).toBe(true)
    }
    device.config.command.busMasterEnable = false
    for (const buffer of [early, late]) buffer.close()
  })

  it('refuses what no hugepage can be', async () => {
    using domain = await Domain.open({ backend })
    const tooLarge = await errorOf('ERR_NOT_SUPPORTED', () => domain.allocate(HUGE + 1))
    expect(tooLarge.message).toContain('2097153 bytes are more than one of 2MiB')
    expect(tooLarge.hint).toContain("hugepages: '1GiB'")
    await errorOf('ERR_INVALID_ARGUMENT', () => domain.allocate(PAGE, { align: 2 * HUGE }))
    await errorOf('ERR_INVALID_ARGUMENT', () => domain.allocate(PAGE, { align: 3 }))
    await errorOf('ERR_INVALID_ARGUMENT', () => domain.allocate(PAGE, { access: 'all' as 'read' }))
    await errorOf('ERR_INVALID_ARGUMENT', () => domain.allocate(PAGE, { hugepages: '4KiB' as '2MiB' }))
    await errorOf('ERR_IOVA_EXHAUSTED', () => domain.allocate(PAGE, { maxIova: 0xffff }))
    await using device = await Device.open(nicAddress('e1000'), { domain, bind: true, addressBits: 16 })
    await errorOf('ERR_IOVA_EXHAUSTED', () => domain.allocate(PAGE))
    await device.close()
    expect(domain.allocate(PAGE).closed).toBe(false)
    domain.close()
    expect(domain.snapshot().mappings).toEqual([])
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it('keeps shared memory for whoever has it open, when its program is killed', async () => {
    const source = `
      import { Domain } from '@openbar/iommu'
      globalThis.kept = (await Domain.open({ backend: '${backend}' })).allocate(1, { shared: true })
      console.log(kept.memory.fd)`
    let held: number
    {
      await using child = await startChild(source)
      held = openSync(`/proc/${child.pid}/fd/${child.line}`, 'r')
    }
    expect(hugepagePool(HUGE).free).toBe(POOL - 1)
    closeSync(held)
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it('names the way to hugepages when the pool has none left', async () => {
    using domain = await Domain.open({ backend })
    for (let left = POOL; left > 0; left -= 1) domain.allocate(HUGE)
    const error = await errorOf('ERR_NO_HUGEPAGES', () => domain.allocate(PAGE))
    expect(error.context).toEqual({ pageSize: HUGE, need: 1, free: 0, total: POOL })
    expect(error.hint).toContain('nr_hugepages')
    expect(domain.snapshot().mappings).toHaveLength(POOL)
    domain.close()
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it('is shown as what it is', async () => {
    const address = nicAddress('e1000e')
    expect(groups()).toEqual([])
    await using opened = await openDevice('e1000e', backend)
    const { device, domain } = opened
    const { iova } = domain.allocate(PAGE)
    expect(domain.snapshot()).toEqual({
      id: domain.id,
      backend,
      state: 'open',
      devices: [address],
      ranges: undefined,
      mappings: [{ iova, size: HUGE, access: 'read-write', state: 'unprotected', kind: 'buffer' }],
      pinnedBytes: 0,
      limits: { mappingsLeft: undefined },
    })
    const file = `/dev/vfio/noiommu-${device.group}`
    const self = { pid: process.pid, command: expect.any(String) }
    const state = world()
    expect(state.groups).toMatchObject([
      { id: device.group, file, noIommu: true, viable: true, holders: [self], devices: [{ address, cdev: undefined }] },
    ])
    expect([state.containerHolders, device.cdev]).toEqual([[self], undefined])
    const text = formatWorld(state)
    expect(text).toContain(`group ${device.group} (${file}): no IOMMU, unsafe, viable`)
    expect(text).toContain("ranges: all of the machine's memory")
    expect(text).toMatch(/ 2 MiB +read-write +unprotected +buffer/)
  })

  it('leaves no file, hugepage or group behind', async () => {
    const round = async () => {
      await using opened = await openDevice('e1000', backend)
      opened.domain.allocate(PAGE)
      opened.device.config.command.busMasterEnable = true
    }
    await round()
    const before = processState()
    await round()
    expect(processState()).toEqual(before)
    expect([hugepagePool(HUGE).free, groups()]).toEqual([POOL, []])
  })
})
