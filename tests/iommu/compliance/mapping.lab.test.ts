import type { Mapping } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { translating } from '../../support/backend-differences.ts'
import { backends } from '../../support/backends.ts'
import { errorOf } from '../../support/error-of.ts'
import { hugepagePool, setHugepages } from '../../support/hugepage-pool.ts'
import { pinnedBytes } from '../../support/pinned-bytes.ts'
import { loopFrame, RawNic } from '../../support/raw-nic.ts'
import { shareDevice } from '../../support/shared-device.ts'

const PAGE = 4096
const HUGE = 2 * 1024 * 1024
const POOL = 2
const FRAME = 60

beforeAll(() => setHugepages(POOL))
afterAll(() => setHugepages(0))

const sizes = [
  ['4 KiB', () => MappedMemory.anonymous(PAGE)],
  ['2 MiB of transparent hugepages', () => MappedMemory.anonymous(HUGE)],
  ['2 MiB, one hugepage', () => MappedMemory.anonymous(HUGE, { hugepages: '2MiB' })],
  ['4 MiB and a page', () => MappedMemory.anonymous(2 * HUGE + PAGE)],
  ['a memfd of hugepages', () => MappedMemory.memfd(2 * HUGE, { hugepages: '2MiB' })],
] as const

describe.each(translating(backends))('mapping on %s', (backend) => {
  const shared = shareDevice(backend)
  let before = 0
  beforeAll(() => {
    before = pinnedBytes(backend)
  })
  afterEach(() => {
    expect(shared.domain.snapshot().mappings).toEqual([])
    expect(pinnedBytes(backend)).toBe(before)
  })
  const pinned = () => pinnedBytes(backend) - before
  const addresses = () => shared.domain.snapshot().mappings.map(({ iova }) => iova)

  it.each(sizes)('maps and unmaps %s, whole', async (_name, make) => {
    const { domain } = shared
    const memory = make()
    const { size } = memory
    const mapping = domain.map(memory, { iova: 0x4000_0000 })
    expect(mapping).toMatchObject({ iova: 0x4000_0000n, last: 0x4000_0000n + BigInt(size) - 1n, size, memory })
    expect([domain.snapshot().pinnedBytes, pinned()]).toEqual([size, size])
    // Even where the IOMMU has one entry for all of it.
    for (const part of [0, size - PAGE, PAGE]) {
      if (size === PAGE) break
      await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0x4000_0000 + part, size: PAGE }))
    }
    expect(domain.unmap(mapping)).toBe(size)
    memory.revoke()
    expect(hugepagePool(HUGE)).toEqual({ total: POOL, free: POOL, reserved: 0 })
  })

  it('maps at IOVA 0', () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(PAGE)
    expect(domain.map(memory, { iova: 0 })).toMatchObject({ iova: 0n, last: 0xfffn })
    expect(domain.unmap({ iova: 0, size: PAGE })).toBe(PAGE)
    memory.revoke()
  })

  it('maps at the start and at the end of each range, and nothing across the end', async () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(2 * PAGE)
    const page = { address: memory.address, size: PAGE }
    const ranges = domain.snapshot().ranges ?? []
    expect(ranges.length).toBeGreaterThan(0)
    for (const { start, last } of ranges) {
      const lastPage = last + 1n - BigInt(PAGE)
      await errorOf('ERR_IOVA_RANGE', () => domain.map(memory, { iova: lastPage }))
      const mapped = [start, lastPage].map((iova) => domain.map(page, { iova }))
      expect(mapped.map(({ iova }) => iova)).toEqual([start, lastPage])
      expect(mapped[1]?.last).toBe(last)
      expect(pinned()).toBe(2 * PAGE)
      expect(mapped.map((mapping) => domain.unmap(mapping))).toEqual([PAGE, PAGE])
    }
    memory.revoke()
  })

  it('unmaps what lies at the very end with all the rest', () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(PAGE)
    const last = domain.snapshot().ranges?.at(-1)?.last ?? 0n
    domain.map(memory, { iova: last + 1n - BigInt(PAGE) })
    expect(domain.unmapAll()).toBe(PAGE)
    memory.revoke()
  })

  it('unmaps several at once, with gaps between them, and says how many bytes', async () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(4 * PAGE)
    const map = (iova: number, pages: number) => domain.map({ address: memory.address, size: pages * PAGE }, { iova })
    for (const [iova, pages] of [
      [0x1000_0000, 1],
      [0x1000_1000, 2],
      [0x1000_8000, 1],
      [0x1010_0000, 4],
      [0x2000_0000, 1],
    ] as const) {
      map(iova, pages)
    }
    expect(pinned()).toBe(9 * PAGE)
    // From a gap to a gap: all of three, the fourth is outside.
    expect(domain.unmap({ iova: 0x0fff_0000, size: 0x2_0000 })).toBe(4 * PAGE)
    expect(addresses()).toEqual([0x1010_0000n, 0x2000_0000n])
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0x1000_0000, size: 0x10_2000 }))
    expect(addresses()).toEqual([0x1010_0000n, 0x2000_0000n])
    expect(pinned()).toBe(5 * PAGE)
    expect(domain.unmap({ iova: 0, size: 2 ** 40 })).toBe(5 * PAGE)
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0, size: 2 ** 40 }))
    memory.revoke()
  })

  it('unmaps all, and nothing is left to unmap', () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(PAGE)
    for (const iova of [0, 0x1000, 0x4000_0000, 0x1_0000_0000]) domain.map(memory, { iova })
    expect(domain.unmapAll()).toBe(4 * PAGE)
    expect(domain.unmapAll()).toBe(0)
    memory.revoke()
  })

  it('unmaps all but buffers, wherever they lie between', async () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(PAGE)
    const buffers = [0x2000_0000, 0x4000_0000].map((iova) => domain.allocate(PAGE, { iova }))
    for (const iova of [0x1000_0000, 0x2000_1000, 0x3000_0000, 0x4000_1000]) domain.map(memory, { iova })
    expect(domain.unmapAll()).toBe(4 * PAGE)
    expect(domain.snapshot().mappings).toMatchObject([
      { iova: 0x2000_0000n, kind: 'buffer' },
      { iova: 0x4000_0000n, kind: 'buffer' },
    ])
    expect(pinned()).toBe(2 * PAGE)
    for (const buffer of buffers) {
      buffer.u32[0] = 7
      await errorOf('ERR_DOMAIN_STATE', () => domain.unmap(buffer))
      expect(buffer.u32[0]).toBe(7)
      buffer.close()
    }
    memory.revoke()
  })

  it('never splits a mapping, and what was refused changes nothing', async () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(4 * PAGE)
    domain.map(memory, { iova: 0x1000_0000 })
    const snapshot = domain.snapshot()
    for (const [iova, size] of [
      [0x1000_0000, PAGE],
      [0x1000_1000, PAGE],
      [0x1000_3000, PAGE],
      [0x0fff_f000, 2 * PAGE],
      [0x1000_3000, 2 * PAGE],
      [0x1000_0001, 4 * PAGE - 1],
      [0x1000_0000, 4 * PAGE - 1],
    ] as const) {
      await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova, size }))
      expect(domain.snapshot()).toEqual(snapshot)
    }
    expect(pinned()).toBe(4 * PAGE)
    expect(domain.unmap({ iova: 0x1000_0000, size: 4 * PAGE })).toBe(4 * PAGE)
    memory.revoke()
  })

  it('unmaps once: again is an error, by the mapping and by its range', async () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(PAGE)
    const mapping = domain.map(memory, { iova: 0x1000_0000 })
    expect(domain.unmap(mapping)).toBe(PAGE)
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap(mapping))
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: 0x1000_0000, size: PAGE }))
    memory.revoke()
  })

  it.each([
    ['numbers', (address: number) => address],
    ['bigints', (address: number) => BigInt(address)],
  ])('takes addresses as %s', (_name, as) => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(2 * PAGE)
    const iova = as(0x12_3456_7000)
    const mapping = domain.map({ address: as(memory.address), size: 2 * PAGE }, { iova, access: 'write' })
    expect(mapping).toMatchObject({ iova: 0x12_3456_7000n, last: 0x12_3456_8fffn, access: 'write' })
    expect(domain.unmap({ iova, size: 2 * PAGE })).toBe(2 * PAGE)
    memory.revoke()
  })

  it('a device reaches the same memory at two addresses, and other memory where one was', async () => {
    const { domain, device } = shared
    await using nic = await RawNic.start(device)
    const memory = MappedMemory.anonymous(PAGE)
    const other = MappedMemory.anonymous(PAGE)
    const bytes = new Uint8Array(memory.buffer)
    const otherBytes = new Uint8Array(other.buffer)
    const rings = pinned()
    const [first, second] = [0x1000_0000n, 0x5000_0000n].map((iova) => domain.map(memory, { iova })) as [
      Mapping,
      Mapping,
    ]
    expect(pinned()).toBe(rings + 2 * PAGE)
    const transfer = (from: bigint, into: bigint) => nic.transfer({ from, length: FRAME, into })
    bytes.set(loopFrame(FRAME, 0x11))
    expect(await transfer(first.iova, second.iova + 1024n)).toBe(FRAME)
    expect(bytes.subarray(1024, 1024 + FRAME)).toEqual(loopFrame(FRAME, 0x11))
    // At once other memory there, which the device may only read.
    domain.unmap(first)
    domain.map(other, { iova: first.iova, access: 'read' })
    otherBytes.set(loopFrame(FRAME, 0x22))
    expect(await transfer(first.iova, second.iova + 2048n)).toBe(FRAME)
    expect(bytes.subarray(2048, 2048 + FRAME)).toEqual(loopFrame(FRAME, 0x22))
    await transfer(first.iova, first.iova + 1024n)
    expect(otherBytes.subarray(1024).every((byte) => byte === 0)).toBe(true)
    // And the first memory once more, for writing.
    domain.unmap({ iova: first.iova, size: PAGE })
    domain.map(memory, { iova: first.iova })
    bytes.set(loopFrame(FRAME, 0x33))
    expect(await transfer(second.iova, first.iova + 3072n)).toBe(FRAME)
    expect(bytes.subarray(3072, 3072 + FRAME)).toEqual(loopFrame(FRAME, 0x33))
    expect(otherBytes.subarray(1024).every((byte) => byte === 0)).toBe(true)
    expect(domain.unmapAll()).toBe(2 * PAGE)
    memory.revoke()
    other.revoke()
  })
})
