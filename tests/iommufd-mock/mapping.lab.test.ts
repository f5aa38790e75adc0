import { Errno, MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, mapIn, openIommufd, unmapIn } from '../support/iommufd.ts'
import { isPinned, leadsTo, MOCK_APERTURE, MOCK_PAGE, MockDevice } from '../support/iommufd-mock.ts'

const PAGE = 4096
const START = MOCK_APERTURE.start
const EVERYTHING = { iova: 0n, size: 2n ** 64n - 1n }

/** Part of some memory, in pages of the mock. */
const part = ({ address }: MappedMemory, first: number, count: number) => ({
  address: address + BigInt(first * MOCK_PAGE),
  size: count * MOCK_PAGE,
})
const whole = ({ address }: { address: bigint }, first: number, end: number) => {
  const start = Math.floor((first * MOCK_PAGE) / PAGE)
  return { address: address + BigInt(start * PAGE), size: (Math.ceil((end * MOCK_PAGE) / PAGE) - start) * PAGE }
}
const at = (page: number) => START + BigInt(page * PAGE)

describe('mapping for the mock', () => {
  it.each([1, 2])('leads to the memory and pins it once, at every alignment, with %i page tables', (count) => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const devices = Array.from({ length: count }, () => new MockDevice(context.fd, space.ioas))
    const memory = MappedMemory.anonymous(8 * PAGE)
    for (let first = 0; first < 16; first += 1) {
      for (let end = first + 1; end <= 16; end += 1) {
        const piece = part(memory, first, end - first)
        mapIn(space, piece, START)
        for (const { pageTable } of devices) expect(leadsTo(context.fd, pageTable, START, piece)).toBe(true)
        expect(isPinned(context.fd, whole(memory, first, end), 1)).toBe(true)
        expect(unmapIn(space, START, piece.size)).toBe(piece.size)
      }
    }
    expect(isPinned(context.fd, memory, 0)).toBe(true)
    memory.revoke()
  })

  it('is there for a device that comes later, and stays when one goes', () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    new MockDevice(context.fd, space.ioas)
    const memory = MappedMemory.anonymous(8 * PAGE)
    for (let first = 0; first < 16; first += 3) {
      const piece = part(memory, first, 16 - first)
      mapIn(space, piece, START)
      const late = new MockDevice(context.fd, space.ioas)
      expect(leadsTo(context.fd, late.pageTable, START, piece)).toBe(true)
      expect(isPinned(context.fd, whole(memory, first, 16), 1)).toBe(true)
      late.destroy()
      expect(isPinned(context.fd, whole(memory, first, 16), 1)).toBe(true)
      unmapIn(space, START, piece.size)
    }
    expect(isPinned(context.fd, memory, 0)).toBe(true)
    memory.revoke()
  })

  it('of memory that is not there is EFAULT, and nothing is mapped', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    new MockDevice(context.fd, space.ioas)
    const nothing = { address: 0x1000n, size: 2 * PAGE }
    expect((await errorOf('ERR_SYSCALL', () => mapIn(space, nothing, START))).errno).toBe(Errno.EFAULT)
    expect((await errorOf('ERR_SYSCALL', () => unmapIn(space, START, 2 * PAGE))).errno).toBe(Errno.ENOENT)
  })

  it.each([false, true])('overlapping is EEXIST, whichever way (with a device: %s)', async (withDevice) => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    if (withDevice) new MockDevice(context.fd, space.ioas)
    const memory = MappedMemory.anonymous(4 * PAGE)
    mapIn(space, { address: memory.address, size: 2 * PAGE }, at(16))
    for (const [page, count] of [
      [16, 2],
      [16, 1],
      [17, 1],
      [15, 2],
      [15, 3],
    ] as const) {
      const again = { address: memory.address, size: count * PAGE }
      expect((await errorOf('ERR_SYSCALL', () => mapIn(space, again, at(page)))).errno).toBe(Errno.EEXIST)
    }
    expect(unmapIn(space, at(16), 2 * PAGE)).toBe(2 * PAGE)
    memory.revoke()
  })

  it.each([false, true])('is unmapped whole or not at all (with a device: %s)', async (withDevice) => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    if (withDevice) new MockDevice(context.fd, space.ioas)
    const memory = MappedMemory.anonymous(8 * PAGE)
    for (const index of [0, 1, 2, 3]) mapIn(space, memory, at(4 + index * 16))
    for (const [page, count] of [
      [0, 1],
      [0, 8],
      [4, 4],
      [48 + 8, 8],
    ] as const) {
      const unmap = () => unmapIn(space, at(page), count * PAGE)
      expect((await errorOf('ERR_SYSCALL', unmap)).errno).toBe(Errno.ENOENT)
    }
    // Three and a half: the last is outside, and stays.
    expect(unmapIn(space, at(0), 3 * 16 * PAGE)).toBe(3 * 8 * PAGE)
    expect(unmapIn(space, at(4 + 48), 8 * PAGE)).toBe(8 * PAGE)
    memory.revoke()
  })

  it('all at once, and of nothing too', () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const memory = MappedMemory.anonymous(PAGE)
    for (const page of [0, 5, 9]) mapIn(space, memory, at(page))
    expect(unmapIn(space, EVERYTHING.iova, EVERYTHING.size)).toBe(3 * PAGE)
    expect(unmapIn(space, EVERYTHING.iova, EVERYTHING.size)).toBe(0)
    memory.revoke()
  })

  it('past the end of addresses is EOVERFLOW, out of the aperture EINVAL', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const memory = MappedMemory.anonymous(2 * PAGE)
    const map = (iova: bigint) => () => mapIn(space, memory, iova)
    expect((await errorOf('ERR_SYSCALL', map(2n ** 64n - BigInt(PAGE)))).errno).toBe(Errno.EOVERFLOW)
    expect((await errorOf('ERR_SYSCALL', () => unmapIn(space, 2n ** 64n - BigInt(PAGE), 2 * PAGE))).errno).toBe(
      Errno.EOVERFLOW,
    )
    new MockDevice(context.fd, space.ioas)
    expect((await errorOf('ERR_SYSCALL', map(0n))).errno).toBe(Errno.EINVAL)
    expect((await errorOf('ERR_SYSCALL', map(MOCK_APERTURE.last + 1n - BigInt(PAGE)))).errno).toBe(Errno.EINVAL)
    expect((await errorOf('ERR_SYSCALL', map(START + 1n))).errno).toBe(Errno.EINVAL)
    memory.revoke()
  })
})
