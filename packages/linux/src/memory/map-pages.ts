import { invalidArgument } from '../errors/invalid-argument.ts'
import { syscallError } from '../errors/syscall-error.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { PAGE_SIZE } from './page-size.ts'

export const PROT_READ = 0x1
export const PROT_WRITE = 0x2
export const MAP_SHARED = 0x01
export const MAP_PRIVATE = 0x02
export const MAP_ANONYMOUS = 0x20
const MAP_FIXED = 0x10
const MAP_NORESERVE = 0x4000
const MADV_POPULATE_WRITE = 23
const MAP_FAILED = 0xffff_ffff_ffff_ffffn

/** What to ask `mmap(2)` for; without a file, memory of nobody else's. */
export interface MapRequest {
  readonly size: number
  readonly protection: number
  readonly flags: number
  readonly fd?: number
  readonly offset?: number
}

/** Refuses a size that is not a positive number of whole pages. */
export function assertWholePages(size: number, pageSize: number): void {
  if (Number.isSafeInteger(size) && size > 0 && size % pageSize === 0) return
  throw invalidArgument('size', size, `a positive multiple of the page size, ${pageSize}`)
}

/** Maps pages. Answers the negated errno instead of throwing. */
export function tryMapPages({ size, protection, flags, fd = -1, offset = 0 }: MapRequest): bigint {
  const address = libcCalls.mmap(null, size, protection, flags, fd, offset)
  return address === MAP_FAILED || address === null ? BigInt(-lastErrno()) : address
}

/** Maps pages, or throws `ERR_SYSCALL` with what was to be mapped. */
export function mapPages(request: MapRequest, what: string): bigint {
  const address = tryMapPages(request)
  if (address < 0n) throw syscallError('mmap', Number(-address), what)
  return address
}

/** Gives back pages that nothing has pointed at yet. */
export function unmapPages(address: bigint, size: number, what: string): void {
  if (libcCalls.munmap(address, size) !== 0) throw syscallError('munmap', lastErrno(), what)
}

/**
 * Makes every page present and writable, without changing what it holds.
 *
 * @returns 0, or the errno: EFAULT where a touch would have been a bus error, ENOMEM when the system has no memory left,
 *   EINVAL on kernels before 5.14.
 * @see madvise(2), MADV_POPULATE_WRITE. MAP_POPULATE would pass over a page that cannot be had, and its touch kill the process.
 */
export function populatePages(address: bigint, size: number): number {
  return libcCalls.madvise(address, size, MADV_POPULATE_WRITE) === 0 ? 0 : lastErrno()
}

/** Puts anonymous memory in the place of pages, for whatever still points there. It takes memory only when touched. */
export function replacePages(address: bigint, size: number, what: string): void {
  const flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
  const replaced = libcCalls.mmap(address, size, PROT_READ | PROT_WRITE, flags, -1, 0)
  if (replaced === MAP_FAILED) throw syscallError('mmap(MAP_FIXED)', lastErrno(), what)
}

/** Refuses an offset into a file that is not at the start of a page. */
export function assertPageOffset(offset: number, pageSize: number = PAGE_SIZE): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset % pageSize === 0) return
  throw invalidArgument('offset', offset, `a multiple of the page size, ${pageSize}`)
}
