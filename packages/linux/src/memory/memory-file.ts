import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs'
import { Errno } from '../errors/errno.ts'
import { invalidArgument } from '../errors/invalid-argument.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'
import { asFd, type Fd } from '../fd.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { fileError } from '../sysfs/file-error.ts'
import { fileSystemOf } from './file-system.ts'
import { assertPageOffset, assertWholePages } from './map-pages.ts'
import type { Pages } from './pages.ts'
import { mapSharedPages } from './shared-pages.ts'

const F_GET_SEALS = 1034
const O_PATH = 0x20_0000

/** Which part of a file to map, in bytes; both are multiples of its page size. */
export interface MemoryFileOptions {
  /** 0 by default. */
  readonly offset?: number | undefined
  /** The rest of the file by default. */
  readonly size?: number | undefined
}

/** A file of tmpfs or hugetlbfs by its path. */
export function memoryFilePages(path: string, options: MemoryFileOptions): Pages {
  // O_PATH only names the file: opening some devices does something, and opening a pipe waits.
  const named = open(path, path, O_PATH)
  try {
    assertMemoryFile(named, path)
    const fd = open(`/proc/self/fd/${named}`, path, constants.O_RDWR)
    try {
      assertKeptInMemory(fd, path)
      return pagesOf(fd, path, options)
    } finally {
      closeSync(fd)
    }
  } finally {
    closeSync(named)
  }
}

/** A file of tmpfs or hugetlbfs, a memfd among them, that the caller has open. */
export function memoryFdPages(fd: Fd<'file'>, options: MemoryFileOptions): Pages {
  const checked = asFd<'file'>(fd)
  const what = nameOf(checked)
  assertMemoryFile(checked, what)
  assertKeptInMemory(checked, what)
  return pagesOf(checked, what, options)
}

function pagesOf(fd: Fd<'file'>, what: string, options: MemoryFileOptions): Pages {
  const { size: length } = statOf(fd, what)
  const { blockSize: pageSize } = fileSystemOf(fd, what)
  const { offset = 0 } = options
  assertPageOffset(offset, pageSize)
  if (offset >= length) throw invalidArgument('offset', offset, `less than the length of ${what}, ${length}`)
  const size = options.size ?? restOf(what, length, offset, pageSize)
  assertWholePages(size, pageSize)
  if (offset + size > length) {
    throw invalidArgument('size', size, `no more than ${what} has from offset ${offset} on: it ends at ${length}`)
  }
  return { address: mapSharedPages(fd, { offset, size, pageSize, what }), size, pageSize, what }
}

function restOf(what: string, length: number, offset: number, pageSize: number): number {
  const size = length - offset
  if (size % pageSize === 0) return size
  throw new OpenbarError('ERR_INVALID_ARGUMENT', {
    message: `${what} ends at ${length}, in the middle of a page of ${pageSize} bytes.`,
    hint: 'Name the size, or make the length of the file a multiple of the page size.',
    context: { argument: 'size', value: undefined },
  })
}

/** Refuses what is not kept in memory: the kernel cannot pin the pages of a file that it writes back to a disk. */
function assertMemoryFile(fd: Fd<'file'>, what: string): void {
  const stat = statOf(fd, what)
  if (!stat.isFile()) {
    const kind = kindOf(stat)
    throw kindError(`${what} cannot be mapped as memory: it is ${article(kind)} ${kind}, and no regular file.`, kind)
  }
  const { name, claimsMemory } = fileSystemOf(fd, what)
  if (!claimsMemory) throw diskError(what, name)
}

/** Asks the kernel itself: only files of tmpfs and hugetlbfs have seals, sealed or not. */
function assertKeptInMemory(fd: Fd<'file'>, what: string): void {
  if (libcCalls.fcntl(fd, F_GET_SEALS, 0) >= 0) return
  const errno = lastErrno()
  if (errno !== Errno.EINVAL) throw syscallError('fcntl(F_GET_SEALS)', errno, what)
  throw diskError(what, fileSystemOf(fd, what).name)
}

function diskError(what: string, name: string): OpenbarError {
  return kindError(
    `${what} cannot be mapped for DMA: it is on ${name}, and only tmpfs and hugetlbfs keep files in memory.`,
    name,
  )
}

function kindError(message: string, kind: string): OpenbarError {
  return new OpenbarError('ERR_MEMORY_KIND', {
    message,
    hint: 'Use a file on tmpfs, such as /dev/shm, or on hugetlbfs, such as /dev/hugepages, or a memfd: MappedMemory.memfd(size).',
    context: { kind },
  })
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'directory'
  if (stat.isCharacterDevice()) return 'character device'
  if (stat.isBlockDevice()) return 'block device'
  if (stat.isFIFO()) return 'pipe'
  if (stat.isSocket()) return 'socket'
  return 'anonymous inode'
}

function article(noun: string): string {
  return noun.startsWith('a') ? 'an' : 'a'
}

function open(path: string, what: string, flags: number): Fd<'file'> {
  try {
    return asFd<'file'>(openSync(path, flags))
  } catch (error) {
    throw fileError('open', what, error)
  }
}

function statOf(fd: Fd, what: string): Stats {
  try {
    return fstatSync(fd)
  } catch (error) {
    throw fileError('fstat', what, error)
  }
}

/** What /proc shows a descriptor as, for errors. */
function nameOf(fd: Fd): string {
  try {
    return `file descriptor ${fd} (${readlinkSync(`/proc/self/fd/${fd}`)})`
  } catch {
    return `file descriptor ${fd}`
  }
}
