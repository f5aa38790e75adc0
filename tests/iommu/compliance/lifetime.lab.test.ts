import { type DmaBuffer, Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { type Binding, bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { differencesOf, translating } from '../../support/backend-differences.ts'
import { backends } from '../../support/backends.ts'
import { errorOf } from '../../support/error-of.ts'
import { nicAddress } from '../../support/nics.ts'
import { pinnedBytes } from '../../support/pinned-bytes.ts'
import { processState } from '../../support/process-state.ts'

const PAGE = 4096

// Bound for all tests, which open the devices many times.
let bindings: Binding[] = []
beforeAll(async () => {
  bindings = [await bindDriver(nicAddress('e1000e'), 'vfio-pci'), await bindDriver(nicAddress('e1000'), 'vfio-pci')]
})
afterAll(async () => {
  for (const binding of bindings) await binding.restore()
})

/** All orders of a few things. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]]
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))
}

describe.each(translating(backends))('the life of a domain on %s', (backend) => {
  const { withoutDevice } = differencesOf(backend)
  const openFirst = (domain: Domain) => Device.open(nicAddress('e1000e'), { domain })
  const openSecond = (domain: Domain) => Device.open(nicAddress('e1000'), { domain })
  let before: ReturnType<typeof processState>
  beforeEach(() => {
    before = processState()
    return () => expect(processState()).toEqual(before)
  })

  it('ends at once without devices, and takes buffers and mappings along', async () => {
    const domain = await Domain.open({ backend })
    const buffer = domain.allocate(PAGE)
    const memory = MappedMemory.anonymous(PAGE)
    domain.map(memory, { iova: 0x4000_0000 })
    domain.close()
    expect(domain.snapshot()).toMatchObject({ state: 'closed', mappings: [], devices: [], pinnedBytes: 0 })
    expect([buffer.closed, buffer.bytes.length]).toEqual([true, 0])
    expect(memory.revoked).toBe(false)
    memory.revoke()
  })

  it('closed in use: throws, while all that it holds lives until the last of two devices leaves', async () => {
    const domain = await Domain.open({ backend })
    const devices = [await openFirst(domain), await openSecond(domain)]
    const buffer = domain.allocate(PAGE)
    const memory = MappedMemory.anonymous(PAGE)
    domain.map(memory, { iova: 0x4000_0000 })
    const pinned = pinnedBytes(backend)
    domain.close()
    domain.close()
    await errorOf('ERR_CLOSED', () => domain.allocate(PAGE))
    for (const device of devices) {
      expect(domain.snapshot().state).toBe('closing')
      expect(domain.snapshot().mappings).toHaveLength(2)
      expect(pinnedBytes(backend)).toBe(pinned)
      buffer.u32[0] = 1
      expect(device.bar(0).map().read32(8)).toBeGreaterThan(0)
      await device.close()
    }
    expect(domain.snapshot()).toMatchObject({ state: 'closed', mappings: [], pinnedBytes: 0 })
    expect(buffer.closed).toBe(true)
    expect(pinnedBytes(backend)).toBe(0)
    memory.revoke()
  })

  it('lets nobody in once it is closed, though devices hold it', async () => {
    const domain = await Domain.open({ backend })
    await using _first = await openFirst(domain)
    domain.close()
    await errorOf('ERR_CLOSED', () => openSecond(domain))
    expect(domain.snapshot().devices).toEqual([nicAddress('e1000e')])
  })

  it.each(permutations(['domain', 'first', 'second', 'buffer'] as const).map((order) => [order.join(', '), order]))(
    'is closed in any order, each twice: %s',
    async (_name, order) => {
      const domain = await Domain.open({ backend })
      const first = await openFirst(domain)
      const second = await openSecond(domain)
      const buffer: DmaBuffer = domain.allocate(PAGE)
      const close = { domain: () => domain.close(), first: () => first.close(), second: () => second.close() }
      for (const what of order as readonly ('domain' | 'first' | 'second' | 'buffer')[]) {
        const call = what === 'buffer' ? () => buffer.close() : close[what]
        await call()
        await call()
      }
      expect(domain.snapshot()).toMatchObject({ state: 'closed', devices: [], mappings: [], pinnedBytes: 0 })
      expect([buffer.closed, first.closed, second.closed]).toEqual([true, true, true])
    },
  )

  it('ends with its block, in whatever order things were declared', async () => {
    let kept: Domain | undefined
    {
      await using domain = await Domain.open({ backend })
      kept = domain
      await using _device = await openFirst(domain)
      using buffer = domain.allocate(PAGE)
      expect(buffer.closed).toBe(false)
    }
    expect(kept.snapshot().state).toBe('closed')
    {
      using stack = new DisposableStack()
      const domain = await Domain.open({ backend })
      await using _device = await openFirst(domain)
      stack.use(domain.allocate(PAGE))
      stack.use(domain)
    }
  })

  it('keeps its mappings between devices, pinned only while there is one', async () => {
    await using domain = await Domain.open({ backend })
    const buffer = domain.allocate(4 * PAGE)
    buffer.u32[0] = 0x1234_5678
    const state = () => {
      const { mappings, pinnedBytes: told } = domain.snapshot()
      return [mappings[0]?.state, told, pinnedBytes(backend)]
    }
    for (const open of [openFirst, openSecond]) {
      expect(state()).toEqual([withoutDevice, 0, 0])
      await using _device = await open(domain)
      expect(state()).toEqual(['mapped', 4 * PAGE, 4 * PAGE])
    }
    expect(state()).toEqual([withoutDevice, 0, 0])
    expect(buffer.u32[0]).toBe(0x1234_5678)
    expect(buffer.iova).toBe(domain.snapshot().mappings[0]?.iova)
  })

  it('pins memory once for the devices of two groups', async () => {
    await using domain = await Domain.open({ backend })
    domain.allocate(8 * PAGE)
    await using first = await openFirst(domain)
    expect(pinnedBytes(backend)).toBe(8 * PAGE)
    await using second = await openSecond(domain)
    expect(first.group).not.toBe(second.group)
    domain.allocate(8 * PAGE)
    expect([pinnedBytes(backend), domain.snapshot().pinnedBytes]).toEqual([16 * PAGE, 16 * PAGE])
    await first.close()
    expect([pinnedBytes(backend), domain.snapshot().pinnedBytes]).toEqual([16 * PAGE, 16 * PAGE])
  })

  it('is no concern of another domain, which has the same addresses', async () => {
    await using one = await Domain.open({ backend })
    await using other = await Domain.open({ backend })
    await using _first = await openFirst(one)
    await using second = await openSecond(other)
    const buffers = [one, other].map((domain) => domain.allocate(PAGE, { iova: 0x4000_0000 }))
    expect(pinnedBytes(backend)).toBe(2 * PAGE)
    one.close()
    await _first.close()
    expect(buffers.map(({ closed }) => closed)).toEqual([true, false])
    expect(other.snapshot()).toMatchObject({ state: 'open', devices: [second.address], pinnedBytes: PAGE })
  })

  it('an open that fails leaves neither domain nor device behind', async () => {
    await using domain = await Domain.open({ backend })
    await using _device = await openFirst(domain)
    const snapshot = domain.snapshot()
    const state = processState()
    await errorOf('ERR_DEVICE_BUSY', () => openFirst(domain))
    await using other = await Domain.open({ backend })
    await errorOf('ERR_GROUP_BUSY', () => openFirst(other))
    expect(other.snapshot().devices).toEqual([])
    other.close()
    expect(domain.snapshot()).toEqual(snapshot)
    expect(processState()).toEqual(state)
  })
})
