import { readSync } from 'node:fs'
import { invalidArgument } from '../errors/invalid-argument.ts'
import { libcCalls, viewMemory } from '../ffi/libc.ts'
import { isRecordOf, RECORD_BYTES } from './memory-record.ts'
import { PAGE_SIZE } from './page-size.ts'
import type { Pages } from './pages.ts'

const MFD_CLOEXEC = 0x1

/**
 * Mapped memory as other threads of the process are told of it: a plain object, to be posted. What is in it is nobody's business but
 * `MappedMemory.fromShared`'s.
 */
export interface SharedMemory {
  /** The process in which the addresses are valid. */
  readonly pid: number
  readonly address: number
  /** Bytes. */
  readonly size: number
  readonly pageSize: number
  /** Address of what says whether the memory was taken away. */
  readonly record: number
  /** What it is, as it should read in an error. */
  readonly what: string
}

/** Pages of another thread's, and whether it has taken them away. */
export interface BorrowedPages extends Pages {
  readonly revoked: () => boolean
}

/** Looks whether memory is shared indeed: nothing is read at an address that nothing stands at. */
export function borrowPages(shared: SharedMemory): BorrowedPages {
  assertShared(shared)
  const { address, size, pageSize, record, what } = shared
  const flag = new Int32Array(viewMemory(BigInt(record), 4))
  return { address: BigInt(address), size, pageSize, what, revoked: () => Atomics.load(flag, 0) !== 0 }
}

function assertShared(shared: SharedMemory): void {
  const expected = 'what share() answered in a thread of this process'
  if (typeof shared !== 'object' || shared === null) throw invalidArgument('shared', shared, expected)
  const { pid, address, size, pageSize, record, what } = shared
  const numbers = [pid, address, size, pageSize, record].every((value) => Number.isSafeInteger(value) && value > 0)
  if (!numbers || typeof what !== 'string' || pid !== process.pid) throw invalidArgument('shared', shared, expected)
  const aligned = pageSize % PAGE_SIZE === 0 && size % pageSize === 0 && record % 8 === 0
  if (!aligned || !isRecord(record, address, size)) throw invalidArgument('shared', shared, expected)
}

/** The kernel reads at the address, and answers EFAULT where a touch would end the process. */
function isRecord(record: number, address: number, size: number): boolean {
  const fd = libcCalls.memfd_create('openbar-record', MFD_CLOEXEC)
  if (fd < 0) return false
  try {
    const bytes = new Uint8Array(RECORD_BYTES)
    if (libcCalls.pwrite(fd, BigInt(record), RECORD_BYTES, 0) !== RECORD_BYTES) return false
    return readSync(fd, bytes, 0, RECORD_BYTES, 0) === RECORD_BYTES && isRecordOf(bytes, address, size)
  } finally {
    libcCalls.close(fd)
  }
}
