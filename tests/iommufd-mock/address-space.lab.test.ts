import { allowIovas, type CopyMappingOptions, copyMapping, iovaRanges } from '@openbar/iommu'
import { Errno, MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, destroyIn, mapIn, openIommufd, unmapIn } from '../support/iommufd.ts'
import { addReserved, isPinned, leadsTo, MOCK_APERTURE, MOCK_PAGE, MockDevice } from '../support/iommufd-mock.ts'

const PAGE = 4096
const PAGES = 4096n
const START = MOCK_APERTURE.start
const EVERYTHING = { start: 0n, last: 2n ** 64n - 1n }

describe('iovaRanges', () => {
  it('is everything at first, and what the devices reach once there are any', () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    expect(iovaRanges(space)).toEqual({ ranges: [EVERYTHING], alignment: 1n })
    const device = new MockDevice(context.fd, space.ioas)
    expect(iovaRanges(space)).toEqual({ ranges: [MOCK_APERTURE], alignment: BigInt(MOCK_PAGE) })
    device.destroy()
    expect(iovaRanges(space)).toEqual({ ranges: [EVERYTHING], alignment: 1n })
  })

  it('leaves out what is reserved, and has room for any number of ranges', () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    // More holes than are asked for at first.
    const holes = Array.from({ length: 100 }, (_, index) => BigInt(2 * index + 1) * PAGES)
    for (const start of holes) expect(addReserved(space, start, PAGES)).toBe(0)
    const { ranges } = iovaRanges(space)
    expect(ranges).toHaveLength(101)
    expect(ranges[0]).toEqual({ start: 0n, last: PAGES - 1n })
    expect(ranges[1]).toEqual({ start: 2n * PAGES, last: 3n * PAGES - 1n })
    expect(ranges.at(-1)).toEqual({ start: 200n * PAGES, last: EVERYTHING.last })
  })

  it('of no address space is an error that tells', async () => {
    using context = openIommufd()
    const error = await errorOf('ERR_SYSCALL', () => iovaRanges({ fd: context.fd, ioas: 99 }))
    expect(error).toMatchObject({ errno: Errno.ENOENT, context: { target: 'address space 99' } })
  })
})

describe('allowIovas', () => {
  it('keeps ranges: what would narrow them is refused, until the demand is lifted', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    allowIovas(space, [{ start: 0, last: 600n * PAGES - 1n }])
    expect(addReserved(space, 4n * PAGES, PAGES)).toBe(-Errno.EADDRINUSE)
    // The mock reaches nothing below its aperture.
    const error = await errorOf('ERR_SYSCALL', () => new MockDevice(context.fd, space.ioas))
    expect(error.errno).toBe(Errno.EADDRINUSE)
    allowIovas(space, [])
    expect(addReserved(space, 4n * PAGES, PAGES)).toBe(0)
    expect(new MockDevice(context.fd, space.ioas).deviceId).toBeGreaterThan(0)
  })

  it('refuses ranges that are out of reach already, lists what is in reach, and keeps the last demand', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    expect(addReserved(space, 4n * PAGES, 100n * PAGES)).toBe(0)
    allowIovas(space, [{ start: 200n * PAGES, last: 300n * PAGES - 1n }])
    const error = await errorOf('ERR_IOVA_RANGE', () => allowIovas(space, [{ start: PAGES, last: 600n * PAGES }]))
    expect(error.context).toMatchObject({ iova: PAGES, ranges: iovaRanges(space).ranges })
    expect(addReserved(space, 250n * PAGES, PAGES)).toBe(-Errno.EADDRINUSE)
  })
})

describe('copyMapping', () => {
  it('maps the memory a second time: in the same address space and in another, pinned once', () => {
    using context = openIommufd()
    const [space, other] = [allocateSpace(context.fd), allocateSpace(context.fd)]
    const tables = [space, other].map(({ ioas }) => new MockDevice(context.fd, ioas).pageTable)
    const memory = MappedMemory.anonymous(4 * PAGE)
    mapIn(space, memory, START)
    const copy = { from: space.ioas, fromIova: START, size: memory.size }
    copyMapping(context.fd, { ...copy, to: space.ioas, toIova: START + 0x10_0000n })
    copyMapping(context.fd, { ...copy, to: other.ioas, toIova: 0x4000_0000, access: 'read' })
    expect(leadsTo(context.fd, tables[0] ?? 0, START + 0x10_0000n, memory)).toBe(true)
    expect(leadsTo(context.fd, tables[1] ?? 0, 0x4000_0000n, memory)).toBe(true)
    expect(isPinned(context.fd, memory, 1)).toBe(true)
    // The copy stays when what was copied goes.
    expect(unmapIn(space, START, memory.size)).toBe(memory.size)
    expect(leadsTo(context.fd, tables[1] ?? 0, 0x4000_0000n, memory)).toBe(true)
    unmapIn(space, START + 0x10_0000n, memory.size)
    unmapIn(other, 0x4000_0000n, memory.size)
    expect(isPinned(context.fd, memory, 0)).toBe(true)
    memory.revoke()
  })

  it('takes any part of what is mapped, also across mappings that touch, and nothing beyond', async () => {
    using context = openIommufd()
    const [space, other] = [allocateSpace(context.fd), allocateSpace(context.fd)]
    const device = new MockDevice(context.fd, space.ioas)
    const table = new MockDevice(context.fd, other.ioas).pageTable
    const memory = MappedMemory.anonymous(4 * PAGE)
    for (const half of [0, 1]) {
      const address = memory.address + BigInt(half * 2 * PAGE)
      mapIn(space, { address, size: 2 * PAGE }, START + BigInt(half * 2 * PAGE))
    }
    const length = 3 * MOCK_PAGE
    const last = 4 * PAGE - length
    for (let offset = -2 * MOCK_PAGE; offset <= last + 2 * MOCK_PAGE; offset += MOCK_PAGE) {
      const copy = () =>
        copyMapping(context.fd, {
          from: space.ioas,
          fromIova: START + BigInt(offset),
          to: other.ioas,
          toIova: START,
          size: length,
        })
      if (offset < 0 || offset > last) {
        expect((await errorOf('ERR_NOT_MAPPED', copy)).errno).toBe(Errno.ENOENT)
        continue
      }
      copy()
      const part = { address: memory.address + BigInt(offset), size: length }
      expect(leadsTo(context.fd, table, START, part)).toBe(true)
      unmapIn(other, START, length)
    }
    device.destroy()
    memory.revoke()
  })

  it('refuses a target that is taken, out of reach or not aligned, and nothing is mapped', async () => {
    using context = openIommufd()
    const [space, other] = [allocateSpace(context.fd), allocateSpace(context.fd)]
    new MockDevice(context.fd, other.ioas)
    const memory = MappedMemory.anonymous(2 * PAGE)
    mapIn(space, memory, 0n)
    const copy: CopyMappingOptions = { from: space.ioas, fromIova: 0, to: other.ioas, toIova: START, size: 2 * PAGE }
    copyMapping(context.fd, copy)
    const call = (changes: Partial<CopyMappingOptions>) => () => copyMapping(context.fd, { ...copy, ...changes })
    const taken = await errorOf('ERR_IOVA_IN_USE', call({ toIova: START + PAGES }))
    expect(taken.context.iova).toBe(START + PAGES)
    const outside = await errorOf('ERR_IOVA_RANGE', call({ toIova: 0 }))
    expect(outside.context.ranges).toEqual([MOCK_APERTURE])
    await errorOf('ERR_IOVA_RANGE', call({ toIova: MOCK_APERTURE.last + 1n }))
    const crooked = await errorOf('ERR_IOVA_ALIGNMENT', call({ toIova: START + 0x10_0001n }))
    expect(crooked.context.alignment).toBe(BigInt(MOCK_PAGE))
    await errorOf('ERR_IOVA_ALIGNMENT', call({ toIova: START + 0x10_0000n, size: PAGE + 1 }))
    await errorOf('ERR_NOT_MAPPED', call({ toIova: START + 0x10_0000n, from: 99 }))
    expect(unmapIn(other, START, 2 * PAGE)).toBe(2 * PAGE)
    expect(isPinned(context.fd, memory, 0)).toBe(true)
    memory.revoke()
  })

  it('gives no right to write that the memory was mapped without', async () => {
    using context = openIommufd()
    const [space, other] = [allocateSpace(context.fd), allocateSpace(context.fd)]
    const memory = MappedMemory.anonymous(PAGE)
    mapIn(space, memory, START, 'read')
    const copy = { from: space.ioas, fromIova: START, to: other.ioas, toIova: 0, size: PAGE }
    const error = await errorOf('ERR_INVALID_ARGUMENT', () => copyMapping(context.fd, copy))
    expect(error.context).toMatchObject({ argument: 'access', value: 'read-write' })
    copyMapping(context.fd, { ...copy, access: 'read' })
    unmapIn(other, 0n, PAGE)
    destroyIn(context.fd, other.ioas)
    memory.revoke()
  })
})
