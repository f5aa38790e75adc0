import { Errno } from '../errors/errno.ts'
import { syscallError } from '../errors/syscall-error.ts'
import { lastErrno, libcCalls, viewMemory } from '../ffi/libc.ts'
import { type HugepageCount, type HugepageSize, hugepageBytes, hugepageFlags, hugepages } from './hugepages.ts'
import {
  assertWholePages,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  mapPages,
  PROT_READ,
  PROT_WRITE,
  populatePages,
  tryMapPages,
  unmapPages,
} from './map-pages.ts'
import { noHugepagesError } from './no-hugepages-error.ts'
import { PAGE_SIZE } from './page-size.ts'
import type { Pages } from './pages.ts'
import { populateError } from './populate-error.ts'

const MAP_HUGETLB = 0x40000
const MADV_DONTFORK = 10
const MADV_HUGEPAGE = 14
const READ_WRITE = { protection: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS } as const

/** A transparent hugepage: what the kernel gives for an aligned range of this size when it can. */
const TRANSPARENT_HUGEPAGE = 2 * 1024 * 1024

/** What anonymous memory shall be made of. */
export interface AnonymousOptions {
  /** Takes hugepages of this size from the kernel's pool. Plain pages when left out. */
  readonly hugepages?: HugepageSize | undefined
}

/** Zeroed private memory: present, and kept out of child processes. */
export function anonymousPages(size: number, options: AnonymousOptions): Pages {
  const pool = options.hugepages && hugepages(hugepageBytes(options.hugepages))
  const pages = options.hugepages === undefined ? plainPages(size) : hugePages(size, options.hugepages, pool)
  try {
    // A page shared copy-on-write with a forked child would be copied away from under the device at the next write.
    advise(pages, MADV_DONTFORK, 'MADV_DONTFORK')
    populate(pages, pool)
  } catch (error) {
    unmapPages(pages.address, size, pages.what)
    throw error
  }
  return pages
}

function hugePages(size: number, kind: HugepageSize, pool: HugepageCount | undefined): Pages {
  const pageSize = hugepageBytes(kind)
  assertWholePages(size, pageSize)
  const flags = READ_WRITE.flags | MAP_HUGETLB | hugepageFlags(kind)
  // This reserves the pages, so that too few of them are an error here and not a bus error later.
  const address = tryMapPages({ ...READ_WRITE, size, flags })
  if (address < 0n) throw noHugepagesError(size, pageSize, { syscall: 'mmap', errno: Number(-address) }, pool)
  return { address, size, pageSize, what: `${size} bytes of ${kind} hugepages` }
}

function plainPages(size: number): Pages {
  assertWholePages(size, PAGE_SIZE)
  const what = `${size} bytes of anonymous memory`
  if (size < TRANSPARENT_HUGEPAGE) {
    return { address: mapPages({ ...READ_WRITE, size }, what), size, pageSize: PAGE_SIZE, what }
  }
  const address = mapAligned(size, TRANSPARENT_HUGEPAGE, what)
  // Advice that only some kernels take: memory of plain pages is as good, and slower for the IOMMU.
  libcCalls.madvise(address, size, MADV_HUGEPAGE)
  return { address, size, pageSize: PAGE_SIZE, what }
}

/** Maps more than is wanted, none of it touched, and gives back what stands out at either end. */
function mapAligned(size: number, alignment: number, what: string): bigint {
  const surplus = alignment - PAGE_SIZE
  const start = mapPages({ ...READ_WRITE, size: size + surplus }, what)
  const head = Number(-start & BigInt(alignment - 1))
  const address = start + BigInt(head)
  try {
    if (head > 0) unmapPages(start, head, what)
    if (surplus > head) unmapPages(address + BigInt(size), surplus - head, what)
  } catch (error) {
    libcCalls.munmap(start, size + surplus)
    throw error
  }
  return address
}

function advise({ address, size, what }: Pages, advice: number, name: string): void {
  if (libcCalls.madvise(address, size, advice) !== 0) throw syscallError(`madvise(${name})`, lastErrno(), what)
}

function populate(pages: Pages, pool: HugepageCount | undefined): void {
  const { address, size, pageSize } = pages
  const errno = populatePages(address, size)
  if (errno === 0) return
  if (errno !== Errno.EINVAL || pageSize !== PAGE_SIZE) throw populateError(errno, pages, pool)
  // Linux before 5.14. Touching plain anonymous memory is no bus error ever.
  const buffer = viewMemory(address, size)
  const bytes = new Uint8Array(buffer)
  for (let offset = 0; offset < size; offset += PAGE_SIZE) bytes[offset] = 0
  buffer.transfer()
}
