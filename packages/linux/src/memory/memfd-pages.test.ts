import { execFileSync, spawnSync } from 'node:child_process'
import { fstatSync, ftruncateSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { libcCalls } from '../ffi/libc.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { MappedMemory } from './mapped-memory.ts'
import { PAGE_SIZE } from './page-size.ts'

const F_ADD_SEALS = 1033
const F_GET_SEALS = 1034
const { madvise, memfd_create: memfdCreate } = libcCalls

afterEach(() => vi.restoreAllMocks())

const memfds = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:')
    } catch {
      return false
    }
  }).length

describe('MappedMemory.memfd', () => {
  test('is zeroed shared memory of which the descriptor is another view', () => {
    const memory = MappedMemory.memfd(3 * PAGE_SIZE, { name: 'ring' })
    const bytes = new Uint8Array(memory.buffer)
    expect([memory.size, memory.pageSize, bytes.length]).toEqual([3 * PAGE_SIZE, PAGE_SIZE, 3 * PAGE_SIZE])
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    expect(readlinkSync(`/proc/self/fd/${memory.fd}`)).toBe('/memfd:ring (deleted)')
    expect(fstatSync(memory.fd).blocks * 512).toBe(3 * PAGE_SIZE)
    writeSync(memory.fd, Buffer.from('packet'), 0, 6, PAGE_SIZE)
    expect(Buffer.from(memory.buffer, PAGE_SIZE, 6).toString()).toBe('packet')
    memory.revoke()
  })

  test('reaches a child process by its descriptor, and only when it is handed over', () => {
    const memory = MappedMemory.memfd(PAGE_SIZE)
    const write = `require('fs').writeSync(3, 'child', 0)`
    const stdio = ['ignore', 'ignore', 'pipe'] as const
    expect(spawnSync(process.execPath, ['-e', write], { stdio: [...stdio, memory.fd] }).status).toBe(0)
    expect(Buffer.from(memory.buffer, 0, 5).toString()).toBe('child')
    const list = execFileSync('ls', ['-l', '/proc/self/fd']).toString()
    expect(list).not.toContain('memfd')
    memory.revoke()
  })

  test('keeps its size and its seals, whoever holds the descriptor', () => {
    const memory = MappedMemory.memfd(2 * PAGE_SIZE)
    for (const size of [0, PAGE_SIZE, 3 * PAGE_SIZE]) {
      expect(() => ftruncateSync(memory.fd, size)).toThrow('EPERM')
    }
    // SEAL, SHRINK and GROW, and no seal against writing (8, 16).
    expect(libcCalls.fcntl(memory.fd, F_GET_SEALS, 0) & 0b11111).toBe(0b00111)
    expect(libcCalls.fcntl(memory.fd, F_ADD_SEALS, 16)).toBe(-1)
    memory.revoke()
  })

  test('shows zeros where another holder punches a hole, and crashes nobody', () => {
    const memory = MappedMemory.memfd(2 * PAGE_SIZE)
    const bytes = new Uint8Array(memory.buffer).fill(0xaa)
    const file = `/proc/${process.pid}/fd/${memory.fd}`
    execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', String(PAGE_SIZE), file])
    expect([bytes[0], bytes[PAGE_SIZE]]).toEqual([0, 0xaa])
    bytes[0] = 1
    expect(bytes[0]).toBe(1)
    memory.revoke()
  })

  test('revoke closes the descriptor; the memory lives on where it was mapped again', () => {
    const before = memfds()
    const memory = MappedMemory.memfd(PAGE_SIZE)
    const { fd } = memory
    const again = MappedMemory.fromMemoryFd(fd)
    new Uint8Array(memory.buffer)[0] = 7
    memory.revoke()
    expect(memfds()).toBe(before)
    expect(thrownBy(() => memory.fd).code).toBe('ERR_CLOSED')
    expect(new Uint8Array(again.buffer)[0]).toBe(7)
    expect(again.fd).toBeUndefined()
    again.revoke()
    memory.revoke()
    expect(memfds()).toBe(before)
  })

  test.each([0, -PAGE_SIZE, 100, Number.NaN])('refuses %d bytes', (size) => {
    expect(thrownBy(() => MappedMemory.memfd(size)).code).toBe('ERR_INVALID_ARGUMENT')
  })

  test.each(['a\0b', 'x'.repeat(250), 'é'.repeat(125), 7])('refuses the name %j', (name) => {
    expect(thrownBy(() => MappedMemory.memfd(PAGE_SIZE, { name: name as string }))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'name', value: name },
    })
  })

  test('takes the longest name, and none', () => {
    for (const name of ['x'.repeat(249), '']) MappedMemory.memfd(PAGE_SIZE, { name }).revoke()
  })
})

describe('on other kernels', () => {
  test('before 6.3, which do not know MFD_NOEXEC_SEAL', () => {
    // A size of hugepages without the flag for them: every kernel answers EINVAL.
    vi.spyOn(libcCalls, 'memfd_create').mockImplementation((name, flags) =>
      memfdCreate(name, (flags & 8) === 0 ? flags : 0x4000_0000),
    )
    const memory = MappedMemory.memfd(PAGE_SIZE)
    expect(libcCalls.fcntl(memory.fd, F_GET_SEALS, 0)).toBe(0b111)
    memory.revoke()
  })

  test('before 5.14, which cannot say what a bus error would be', () => {
    const before = memfds()
    vi.spyOn(libcCalls, 'madvise').mockImplementation((address, size, advice) =>
      madvise(address, size, advice === 23 ? 9999 : advice),
    )
    expect(thrownBy(() => MappedMemory.memfd(PAGE_SIZE))).toMatchObject({
      code: 'ERR_NOT_SUPPORTED',
      context: { what: 'MADV_POPULATE_WRITE' },
    })
    expect(memfds()).toBe(before)
  })
})

test('too large a memfd is an error, and leaves nothing', () => {
  const before = memfds()
  const error = thrownBy(() => MappedMemory.memfd(2 ** 52))
  expect(error.code).toBe('ERR_SYSCALL')
  expect(error.message).toContain("memfd 'openbar'")
  expect(memfds()).toBe(before)
  expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain('/memfd:openbar')
})
