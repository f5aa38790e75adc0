import { Errno } from '../errors/errno.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'
import type { Fd } from '../fd.ts'
import { type HugepageCount, hugepages } from './hugepages.ts'
import { MAP_SHARED, PROT_READ, PROT_WRITE, populatePages, tryMapPages, unmapPages } from './map-pages.ts'
import { noHugepagesError, type Refusal } from './no-hugepages-error.ts'
import { PAGE_SIZE } from './page-size.ts'
import { populateError } from './populate-error.ts'

/** A part of a file whose pages are memory. */
export interface SharedRange {
  readonly offset: number
  readonly size: number
  /** Bytes; more than the base page size for hugepages. */
  readonly pageSize: number
  /** The file as it should read in an error. */
  readonly what: string
}

/** Maps a part of a memory file, shared, and makes its pages present; nothing stays mapped when that fails. */
export function mapSharedPages(fd: Fd<'file'>, range: SharedRange): bigint {
  const { offset, size, pageSize, what } = range
  const pool = pageSize === PAGE_SIZE ? undefined : hugepages(pageSize)
  const address = tryMapPages({ size, protection: PROT_READ | PROT_WRITE, flags: MAP_SHARED, fd, offset })
  if (address < 0n) throw mapError({ syscall: 'mmap', errno: Number(-address) }, range, pool)
  const errno = populatePages(address, size)
  if (errno === 0) return address
  unmapPages(address, size, what)
  throw populateError(errno, range, pool)
}

function mapError(
  refusal: Refusal,
  { size, pageSize, what }: SharedRange,
  pool: HugepageCount | undefined,
): OpenbarError {
  switch (refusal.errno) {
    case Errno.ENOMEM:
      if (pageSize !== PAGE_SIZE) return noHugepagesError(size, pageSize, refusal, pool)
      return syscallError('mmap', refusal.errno, what)
    case Errno.EACCES:
      return permissionError(`${what} was opened without the right to write.`, 'Open it for reading and writing.')
    case Errno.EPERM:
      return permissionError(`${what} is sealed against writing.`, 'Share it before F_SEAL_WRITE is set, or without.')
    default:
      return syscallError('mmap', refusal.errno, what)
  }

  function permissionError(message: string, hint: string): OpenbarError {
    return new OpenbarError('ERR_PERMISSION', { message, hint, context: { target: what }, ...refusal })
  }
}
