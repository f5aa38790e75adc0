import { closeSync, openSync, readSync } from 'node:fs'
import { invalidArgument } from '../errors/invalid-argument.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { fileError } from '../sysfs/file-error.ts'
import { assertWholePages } from './map-pages.ts'
import { PAGE_SIZE } from './page-size.ts'

const PAGEMAP = '/proc/self/pagemap'
const ENTRY_SIZE = 8
const FRAME_NUMBER = (1n << 55n) - 1n
const PRESENT = 1n << 63n

/**
 * Where pages of this process stand in the machine's memory: for devices without an IOMMU, which know no other addresses.
 *
 * It is true at the time of the call. The kernel moves plain pages as it sees fit, locked ones too; hugepages of the pool
 * stay where they are. A page of the caller's own must have been written to: one that was only read is the page of zeros that
 * the whole system shares. Behind an IOMMU nobody needs this: a domain's addresses are what devices use there.
 *
 * @param address - The first page's address in this process; a multiple of 4096.
 * @param size - Bytes; a positive multiple of 4096.
 * @returns One address for each 4096 bytes, hugepages included.
 * @throws {@link OpenbarError} `ERR_PERMISSION` without CAP_SYS_ADMIN; `ERR_MEMORY_KIND` for a page that is not present;
 *   `ERR_INVALID_ARGUMENT`, `ERR_SYSCALL`.
 * @see Documentation/admin-guide/mm/pagemap.rst
 *
 * @example
 * ```ts
 * const memory = MappedMemory.anonymous(2 * 1024 * 1024, { hugepages: '2MiB' })
 * const [first] = physicalAddresses(memory.address, memory.size)
 * ```
 */
export function physicalAddresses(address: number | bigint, size: number): bigint[] {
  assertWholePages(size, PAGE_SIZE)
  const first = Number(address)
  if (!Number.isSafeInteger(first) || first < 0 || first % PAGE_SIZE !== 0) {
    throw invalidArgument('address', address, `a multiple of the page size, ${PAGE_SIZE}`)
  }
  const entries = readEntries(first / PAGE_SIZE, size / PAGE_SIZE)
  return Array.from(entries, (entry, index) => frameAddress(entry, first + index * PAGE_SIZE))
}

/** The physical address in an entry of pagemap, when devices can use it. */
export function frameAddress(entry: bigint, address: number): bigint {
  if ((entry & PRESENT) === 0n) {
    throw new OpenbarError('ERR_MEMORY_KIND', {
      message: `The page at 0x${address.toString(16)} is not present.`,
      hint: 'Use memory that is: MappedMemory makes its pages present.',
      context: { kind: 'absent' },
    })
  }
  const frame = entry & FRAME_NUMBER
  if (frame !== 0n) return frame * BigInt(PAGE_SIZE)
  throw new OpenbarError('ERR_PERMISSION', {
    message: `This process may not know physical addresses: ${PAGEMAP} hides them.`,
    hint: 'Run it as root, or with CAP_SYS_ADMIN.',
    context: { target: PAGEMAP },
  })
}

function readEntries(firstPage: number, count: number): BigUint64Array {
  const bytes = new Uint8Array(count * ENTRY_SIZE)
  let fd: number
  try {
    fd = openSync(PAGEMAP, 'r')
  } catch (error) {
    throw fileError('open', PAGEMAP, error)
  }
  try {
    let done = 0
    while (done < bytes.length) {
      const read = readSync(fd, bytes, done, bytes.length - done, firstPage * ENTRY_SIZE + done)
      // Addresses that no process can have end the file; the entries left are 0, which means absent.
      if (read === 0) break
      done += read
    }
  } catch (error) {
    throw fileError('read', PAGEMAP, error)
  } finally {
    closeSync(fd)
  }
  return new BigUint64Array(bytes.buffer)
}
