import { syscallError } from '../errors/syscall-error.ts'
import { lastErrno, libcCalls, viewMemory } from '../ffi/libc.ts'
import { PAGE_SIZE } from './page-size.ts'

const PROT_READ_WRITE = 0x3
/** MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT. An address below 2^31 is a small integer to V8, the cheapest thing to pass on. */
const FLAGS = 0x02 | 0x20 | 0x40
const MAP_FAILED = 0xffff_ffff_ffff_ffffn
const ALIGNMENT = 16

/** The page that is being handed out, and how much of it is gone. */
let page: { readonly buffer: ArrayBuffer; readonly address: number; used: number } | undefined

/**
 * Zeroed memory outside the JavaScript heap, at an address that never changes. It is never given back.
 *
 * @param size - Bytes, no more than a page.
 */
export function fixedMemory(size: number): { readonly bytes: Uint8Array; readonly address: number } {
  if (page === undefined || page.used + size > PAGE_SIZE) page = newPage()
  const { buffer, address, used } = page
  page.used = used + Math.ceil(size / ALIGNMENT) * ALIGNMENT
  return { bytes: new Uint8Array(buffer, used, size), address: address + used }
}

function newPage(): NonNullable<typeof page> {
  const address = libcCalls.mmap(null, PAGE_SIZE, PROT_READ_WRITE, FLAGS, -1, 0)
  if (address === MAP_FAILED || address === null) throw syscallError('mmap', lastErrno(), 'a page for structs')
  return { buffer: viewMemory(address, PAGE_SIZE), address: Number(address), used: 0 }
}
