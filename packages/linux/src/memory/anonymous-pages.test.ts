import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { libcCalls } from '../ffi/libc.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { hugepages } from './hugepages.ts'
import { MappedMemory } from './mapped-memory.ts'
import { PAGE_SIZE } from './page-size.ts'

const MIB = 1024 ** 2
const MADV_POPULATE_WRITE = 23
const { madvise, munmap } = libcCalls

afterEach(() => vi.restoreAllMocks())

/** What /proc/self/smaps says in kB of the mapping that begins at an address. */
function smaps(address: number, field: string): number {
  const text = readFileSync('/proc/self/smaps', 'utf8')
  const start = text.indexOf(`${address.toString(16)}-`)
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text.slice(start))?.[1])
}

describe('anonymous memory of 2 MiB and more', () => {
  test.each([2 * MIB, 2 * MIB + PAGE_SIZE, 5 * MIB])('%d bytes: aligned, zeroed, present, and no larger', (size) => {
    const memory = MappedMemory.anonymous(size)
    expect(memory.address % (2 * MIB)).toBe(0)
    expect(memory.pageSize).toBe(PAGE_SIZE)
    expect(smaps(memory.address, 'Rss')).toBeGreaterThanOrEqual(size / 1024)
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true)
    memory.revoke()
  })

  test('wastes no address space', () => {
    const address = () => Number(/^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
    const before = address()
    const memories = Array.from({ length: 64 }, () => MappedMemory.anonymous(2 * MIB))
    const used = address() - before
    // Garbage collection and workers of Node's may take some; with what was trimmed left in place it would be twice as much.
    expect(used).toBeLessThan(64 * 2048 * 1.5)
    for (const memory of memories) memory.revoke()
  })

  test('is had on kernels that refuse the advice', () => {
    // 9999 is no advice of any kernel: it answers EINVAL, as one without transparent hugepages does.
    vi.spyOn(libcCalls, 'madvise').mockImplementation((address, size, advice) =>
      madvise(address, size, advice === 14 ? 9999 : advice),
    )
    const memory = MappedMemory.anonymous(2 * MIB)
    expect(smaps(memory.address, 'Rss')).toBeGreaterThanOrEqual(2048)
    memory.revoke()
  })

  test('is made present by touching it on kernels before 5.14', () => {
    vi.spyOn(libcCalls, 'madvise').mockImplementation((address, size, advice) =>
      madvise(address, size, advice === MADV_POPULATE_WRITE ? 9999 : advice),
    )
    const memory = MappedMemory.anonymous(4 * MIB)
    expect(smaps(memory.address, 'Rss')).toBeGreaterThanOrEqual(4096)
    memory.revoke()
  })
})

describe('a failure on the way leaves nothing mapped', () => {
  const mapped = () => vi.mocked(libcCalls.mmap).mock.calls.reduce((sum, [, length]) => sum + length, 0)
  const unmapped = () => vi.mocked(libcCalls.munmap).mock.calls.reduce((sum, [, length]) => sum + length, 0)

  test.each([
    ['madvise(MADV_DONTFORK)', 10, PAGE_SIZE],
    ['madvise(MADV_DONTFORK)', 10, 2 * MIB],
  ])('%s', (syscall, failing, size) => {
    vi.spyOn(libcCalls, 'mmap')
    vi.spyOn(libcCalls, 'munmap')
    vi.spyOn(libcCalls, 'madvise').mockImplementation((address, length, advice) =>
      madvise(address, length, advice === failing ? 9999 : advice),
    )
    expect(thrownBy(() => MappedMemory.anonymous(size))).toMatchObject({ code: 'ERR_SYSCALL', syscall })
    expect(unmapped()).toBe(mapped())
  })

  test('munmap of what stands out', () => {
    const calls: [bigint, number][] = []
    vi.spyOn(libcCalls, 'munmap').mockImplementation((address, length) => {
      calls.push([address, length])
      // An address off the page boundary is EINVAL.
      return calls.length === 1 ? munmap(1n, length) : munmap(address, length)
    })
    expect(thrownBy(() => MappedMemory.anonymous(3 * MIB))).toMatchObject({ code: 'ERR_SYSCALL', syscall: 'munmap' })
    expect(calls.at(-1)?.[1]).toBe(5 * MIB - PAGE_SIZE)
  })
})

describe('hugepages of the pool', () => {
  test.each([
    ['2MiB', MIB],
    ['2MiB', 3 * MIB],
    ['1GiB', 512 * MIB],
  ] as const)('of %s refuse %d bytes', (size, bytes) => {
    for (const make of [MappedMemory.anonymous, MappedMemory.memfd]) {
      expect(thrownBy(() => make(bytes, { hugepages: size }))).toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        context: { argument: 'size', value: bytes },
      })
    }
  })

  test.each([
    ['2MiB', 2 * MIB],
    ['1GiB', 1024 * MIB],
  ] as const)('of %s: too few are an error that says how many there are', (size, bytes) => {
    const before = hugepages(bytes)
    const need = 2 ** 20
    for (const make of [MappedMemory.anonymous, MappedMemory.memfd]) {
      expect(thrownBy(() => make(need * bytes, { hugepages: size }))).toMatchObject({
        code: 'ERR_NO_HUGEPAGES',
        context: { pageSize: bytes, need, free: before && before.free - before.reserved, total: before?.total },
      })
    }
    expect(hugepages(bytes)).toEqual(before)
  })
})
