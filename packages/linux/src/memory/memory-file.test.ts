import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { EventFd } from '../events/event-fd.ts'
import { asFd, type Fd } from '../fd.ts'
import { libcCalls } from '../ffi/libc.ts'
import { runChild } from '../testing/run-child.ts'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { MappedMemory } from './mapped-memory.ts'
import { PAGE_SIZE } from './page-size.ts'

const TMPFS = 0x01021994
const shm = '/dev/shm'
const hasTmpfs = existsSync(shm) && statfsSync(shm).type === TMPFS
const openFiles = () => readdirSync('/proc/self/fd').length

describe.runIf(hasTmpfs)('MappedMemory.fromFile on tmpfs', () => {
  let root: string
  let count = 0
  beforeAll(() => {
    root = mkdtempSync(join(shm, 'openbar-'))
  })
  afterAll(() => rmSync(root, { recursive: true }))

  function file(bytes: number | Uint8Array): string {
    count += 1
    const path = join(root, `file-${count}`)
    writeFileSync(path, typeof bytes === 'number' ? new Uint8Array(bytes).fill(0x55) : bytes)
    return path
  }

  test('maps the whole file, shared, and keeps no descriptor', () => {
    const path = file(3 * PAGE_SIZE)
    const before = openFiles()
    const memory = MappedMemory.fromFile(path)
    expect(openFiles()).toBe(before)
    expect([memory.size, memory.pageSize, memory.fd]).toEqual([3 * PAGE_SIZE, PAGE_SIZE, undefined])
    const bytes = new Uint8Array(memory.buffer)
    expect(bytes.every((byte) => byte === 0x55)).toBe(true)
    bytes[5000] = 1
    expect(readFileSync(path)[5000]).toBe(1)
    memory.revoke()
    expect(readFileSync(path)[5000]).toBe(1)
  })

  test('maps a part, and the rest behind an offset', () => {
    const path = file(new Uint8Array(4 * PAGE_SIZE).map((_, index) => index / PAGE_SIZE))
    const part = MappedMemory.fromFile(path, { offset: PAGE_SIZE, size: PAGE_SIZE })
    const rest = MappedMemory.fromFile(path, { offset: 2 * PAGE_SIZE })
    expect([part.size, new Uint8Array(part.buffer)[0]]).toEqual([PAGE_SIZE, 1])
    expect([rest.size, new Uint8Array(rest.buffer)[0]]).toEqual([2 * PAGE_SIZE, 2])
    part.revoke()
    rest.revoke()
  })

  test('makes the pages of a sparse file', () => {
    const path = file(0)
    truncateSync(path, 8 * PAGE_SIZE)
    expect(statSync(path).blocks).toBe(0)
    const memory = MappedMemory.fromFile(path)
    expect(statSync(path).blocks * 512).toBe(8 * PAGE_SIZE)
    memory.revoke()
  })

  test.each([
    [{ offset: 1 }, 'offset'],
    [{ offset: -PAGE_SIZE }, 'offset'],
    [{ offset: 3 * PAGE_SIZE }, 'offset'],
    [{ offset: Number.NaN }, 'offset'],
    [{ size: 0 }, 'size'],
    [{ size: 100 }, 'size'],
    [{ size: 4 * PAGE_SIZE }, 'size'],
    [{ offset: PAGE_SIZE, size: 3 * PAGE_SIZE }, 'size'],
  ])('refuses %j of a file of three pages', (options, argument) => {
    const before = openFiles()
    const error = thrownBy(() => MappedMemory.fromFile(file(3 * PAGE_SIZE), options))
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', context: { argument } })
    expect(openFiles()).toBe(before)
  })

  test('asks for the size when the file ends within a page, and refuses an empty file', () => {
    const path = file(PAGE_SIZE + 1)
    const error = thrownBy(() => MappedMemory.fromFile(path))
    expect(error.message).toContain(`${path} ends at ${PAGE_SIZE + 1}, in the middle of a page`)
    MappedMemory.fromFile(path, { size: PAGE_SIZE }).revoke()
    expect(thrownBy(() => MappedMemory.fromFile(file(0))).code).toBe('ERR_INVALID_ARGUMENT')
  })

  test('does not wait for a pipe', () => {
    const path = join(root, 'pipe')
    execFileSync('mkfifo', [path])
    expect(thrownBy(() => MappedMemory.fromFile(path))).toMatchObject({
      code: 'ERR_MEMORY_KIND',
      context: { kind: 'pipe' },
    })
  })

  test('follows a symbolic link to where the file is', () => {
    const link = join(root, 'link')
    symlinkSync(import.meta.filename, link)
    expect(thrownBy(() => MappedMemory.fromFile(link)).message).toContain(`${link} cannot be mapped for DMA: it is on`)
  })

  test('does not believe a file system that only says to be tmpfs, as 9p over a tmpfs does', () => {
    const path = file(PAGE_SIZE)
    const { fcntl } = libcCalls
    // 9999 is no request of any kernel: it answers EINVAL, as a file without seals does.
    const mock = vi.spyOn(libcCalls, 'fcntl').mockImplementation((fd) => fcntl(fd, 9999, 0))
    const before = openFiles()
    expect(thrownBy(() => MappedMemory.fromFile(path))).toMatchObject({ code: 'ERR_MEMORY_KIND' })
    expect(openFiles()).toBe(before)
    mock.mockRestore()
  })

  test('a file that is shortened between the check and the mapping is an error, and no bus error', () => {
    const path = file(4 * PAGE_SIZE)
    const { mmap } = libcCalls
    vi.spyOn(libcCalls, 'mmap').mockImplementationOnce((...request) => {
      truncateSync(path, PAGE_SIZE)
      return mmap(...request)
    })
    const error = thrownBy(() => MappedMemory.fromFile(path))
    expect(error).toMatchObject({ code: 'ERR_SYSCALL', syscall: 'madvise(MADV_POPULATE_WRITE)' })
    expect(error.message).toContain('made the file shorter')
    expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain(path)
  })

  test('the test above is about a bus error: a touch kills', () => {
    const path = file(4 * PAGE_SIZE)
    const { signal } = runChild(`
      import { truncateSync } from 'node:fs'
      import { MappedMemory } from '${import.meta.resolve('./mapped-memory.ts')}'
      const memory = MappedMemory.fromFile(${JSON.stringify(path)})
      truncateSync(${JSON.stringify(path)}, 0)
      new Uint8Array(memory.buffer)[0] = 1
    `)
    expect(signal).toBe('SIGBUS')
  })

  test('a descriptor: maps it, and leaves it open', () => {
    const path = file(PAGE_SIZE)
    const fd = asFd<'file'>(openSync(path, 'r+'))
    const memory = MappedMemory.fromMemoryFd(fd)
    expect(new Uint8Array(memory.buffer)[0]).toBe(0x55)
    memory.revoke()
    closeSync(fd)
  })

  test('a descriptor that was opened for reading', () => {
    const path = file(PAGE_SIZE)
    const fd = asFd<'file'>(openSync(path, 'r'))
    const error = thrownBy(() => MappedMemory.fromMemoryFd(fd))
    expect(error.code).toBe('ERR_PERMISSION')
    expect(error.message).toContain(`(${path}) was opened without the right to write`)
    closeSync(fd)
  })
})

describe('files that are not kept in memory', () => {
  const root = temporaryDirectory()

  test('the error names the file, the file system and the way out', () => {
    const path = '/proc/self/status'
    const error = thrownBy(() => MappedMemory.fromFile(path))
    expect(error).toMatchObject({ code: 'ERR_MEMORY_KIND', context: { kind: 'proc' } })
    expect(error.message).toBe(
      `${path} cannot be mapped for DMA: it is on proc, and only tmpfs and hugetlbfs keep files in memory. ` +
        'Use a file on tmpfs, such as /dev/shm, or on hugetlbfs, such as /dev/hugepages, or a memfd: MappedMemory.memfd(size).',
    )
  })

  test('a descriptor of such a file', () => {
    const fd = asFd<'file'>(openSync('/proc/self/status', 'r'))
    expect(thrownBy(() => MappedMemory.fromMemoryFd(fd)).message).toContain(`/status) cannot be mapped for DMA`)
    closeSync(fd)
  })

  test.each([
    ['directory', () => root],
    ['character device', () => '/dev/zero'],
  ])('a %s', (kind, path) => {
    const error = thrownBy(() => MappedMemory.fromFile(path()))
    expect(error).toMatchObject({ code: 'ERR_MEMORY_KIND', context: { kind } })
    expect(error.message).toContain(`it is a ${kind}`)
  })

  test('an eventfd', () => {
    using event = new EventFd()
    const error = thrownBy(() => MappedMemory.fromMemoryFd(event.fd as number as Fd<'file'>))
    expect(error.message).toContain('(anon_inode:[eventfd]) cannot be mapped as memory: it is an anonymous inode')
  })

  test('none at all', () => {
    expect(thrownBy(() => MappedMemory.fromFile('/nowhere'))).toMatchObject({ code: 'ERR_SYSCALL', syscall: 'open' })
    expect(thrownBy(() => MappedMemory.fromMemoryFd(-1 as Fd<'file'>)).code).toBe('ERR_INVALID_ARGUMENT')
    const fd = openSync('/dev/null', 'r') as Fd<'file'>
    closeSync(fd)
    expect(thrownBy(() => MappedMemory.fromMemoryFd(fd))).toMatchObject({ code: 'ERR_SYSCALL', syscall: 'fstat' })
  })
})

test('a memfd that is sealed against writing', () => {
  const fd = asFd<'file'>(libcCalls.memfd_create('sealed', 0x1 | 0x2))
  truncateSync(`/proc/self/fd/${fd}`, PAGE_SIZE)
  libcCalls.fcntl(fd, 1033, 0x8)
  const error = thrownBy(() => MappedMemory.fromMemoryFd(fd))
  expect(error.code).toBe('ERR_PERMISSION')
  expect(error.message).toContain('sealed against writing')
  closeSync(fd)
})
