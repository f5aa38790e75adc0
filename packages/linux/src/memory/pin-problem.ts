import { readFileSync } from 'node:fs'
import { Errno } from '../errors/errno.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { populatePages } from './map-pages.ts'

const MADV_POPULATE_READ = 22
/** The page is broken memory. */
const EHWPOISON = 133

/**
 * Why the kernel could not keep pages of this process in place for a device, told before it is asked to: pages that are not there,
 * that cannot be touched, or that must not be written. All pages are made present by this, as pinning would.
 *
 * @param address - Of the first byte; a multiple of the page size.
 * @param size - Bytes; a multiple of the page size.
 * @param write - Whether the device is to write there.
 * @returns The problem, for use behind a colon; `undefined` when none is seen. A device's own memory is left for the kernel to
 *   judge, and so is everything on kernels before 5.14 that is mapped with the rights that are needed.
 * @see madvise(2), MADV_POPULATE_READ and MADV_POPULATE_WRITE, which fault pages in as pinning does
 *
 * @example
 * ```ts
 * pinProblem(0x10000, 4096, true) // 'nothing is mapped at 0x10000 in this process'
 * ```
 */
export function pinProblem(address: number, size: number, write: boolean): string | undefined {
  const errno = makePresent(BigInt(address), size, write)
  if (errno === 0) return undefined
  const problem = missingRights(readFileSync('/proc/self/maps', 'utf8'), address, size, write)
  if (problem !== undefined) return problem
  return errno === Errno.EFAULT || errno === EHWPOISON ? 'touching it would be a bus error' : undefined
}

/**
 * What lacks in the text of `/proc/<pid>/maps`, ascending as it is, for a range to be read or written as a whole.
 *
 * @internal
 */
export function missingRights(maps: string, address: number, size: number, write: boolean): string | undefined {
  let position = address
  const end = address + size
  for (const [, from = '', to = '', rights = ''] of maps.matchAll(/^([\da-f]+)-([\da-f]+) (\S+)/gm)) {
    if (position >= end) return undefined
    if (Number.parseInt(to, 16) <= position) continue
    if (Number.parseInt(from, 16) > position) break
    if (!rights.includes(write ? 'w' : 'r')) {
      return `this process cannot ${write ? 'write' : 'read'} the pages at 0x${position.toString(16)}`
    }
    position = Number.parseInt(to, 16)
  }
  return position < end ? `nothing is mapped at 0x${position.toString(16)} in this process` : undefined
}

function makePresent(address: bigint, size: number, write: boolean): number {
  if (write) return populatePages(address, size)
  return libcCalls.madvise(address, size, MADV_POPULATE_READ) === 0 ? 0 : lastErrno()
}
