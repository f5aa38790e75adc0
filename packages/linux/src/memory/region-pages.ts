import { fstatSync } from 'node:fs'
import { invalidArgument } from '../errors/invalid-argument.ts'
import type { Fd } from '../fd.ts'
import { fileError } from '../sysfs/file-error.ts'
import { assertPageOffset, assertWholePages, MAP_SHARED, mapPages, PROT_READ, PROT_WRITE } from './map-pages.ts'
import { PAGE_SIZE } from './page-size.ts'
import type { Pages } from './pages.ts'

/** What to map of a file: where from, how much, and with which rights. Offset and size are in bytes. */
export interface MapFileOptions {
  readonly offset: number
  readonly size: number
  readonly readable: boolean
  /** Must be true: JavaScript has no read-only buffers, and a store to a page without the right is a fault. */
  readonly writable: boolean
  /** What is mapped, as it should read in an error. */
  readonly what: string
}

/** A part of a device's region or of any file, as it is: its pages are not made present. */
export function regionPages(fd: Fd, options: MapFileOptions): Pages {
  const { offset, size, readable, writable, what } = options
  if (!writable) throw invalidArgument('writable', writable, `true to map ${what}`)
  assertPageOffset(offset)
  assertInsideFile(fd, offset, size, what)
  assertWholePages(size, PAGE_SIZE)
  const protection = PROT_WRITE | (readable ? PROT_READ : 0)
  return {
    address: mapPages({ size, protection, flags: MAP_SHARED, fd, offset }, what),
    size,
    pageSize: PAGE_SIZE,
    what,
  }
}

/** Pages that lie wholly beyond a file's end can be mapped, and are a bus error when touched. */
function assertInsideFile(fd: Fd, offset: number, size: number, what: string): void {
  let length: number
  try {
    const stat = fstatSync(fd)
    // A device's length is 0, and the kernel checks its ranges itself.
    if (!stat.isFile()) return
    length = stat.size
  } catch (error) {
    throw fileError('fstat', what, error)
  }
  if (offset + size > Math.ceil(length / PAGE_SIZE) * PAGE_SIZE) {
    throw invalidArgument('size', size, `no more than ${what} has from offset ${offset} on: it ends at ${length}`)
  }
}
