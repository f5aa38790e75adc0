import { fstatSync } from 'node:fs'
import { invalidArgument } from '../errors/invalid-argument.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'
import type { Fd } from '../fd.ts'
import { lastErrno, libcCalls, viewMemory } from '../ffi/libc.ts'
import { fileError } from '../sysfs/file-error.ts'
import { PAGE_SIZE } from './page-size.ts'

const PROT_READ = 0x1
const PROT_WRITE = 0x2
const MAP_SHARED = 0x01
const MAP_PRIVATE = 0x02
const MAP_FIXED = 0x10
const MAP_ANONYMOUS = 0x20
const MAP_NORESERVE = 0x4000
const MAP_POPULATE = 0x8000
const MADV_DONTFORK = 10
const MAP_FAILED = 0xffff_ffff_ffff_ffffn

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

/**
 * Memory mapped into this process, that can be taken away without danger.
 *
 * {@link MappedMemory.revoke} detaches the buffer (so JavaScript reads `undefined` and its methods throw) and puts
 * anonymous memory in the place of the pages. Whatever still points there, a view that was transferred to a worker or
 * a pending asynchronous call, then reaches harmless memory instead of a fault. The range stays reserved for the life
 * of the process, for nobody can tell when the last such pointer is gone.
 *
 * A file must keep its length while it is mapped: pages beyond its end are a fault too.
 *
 * @see mmap(2)
 *
 * @example
 * ```ts
 * const memory = MappedMemory.anonymous(64 * 1024)
 * new Uint32Array(memory.buffer)[0] = 1
 * memory.revoke()
 * ```
 */
export class MappedMemory {
  /** Where the memory stands in this process. */
  readonly address: bigint
  /** Size in bytes, a multiple of the page size. */
  readonly size: number
  readonly #what: string
  readonly #buffer: ArrayBuffer
  #revoked = false

  private constructor(address: bigint, size: number, what: string) {
    this.address = address
    this.size = size
    this.#what = what
    this.#buffer = viewMemory(address, size)
  }

  /**
   * Maps zeroed private memory, present at once and kept out of child processes.
   *
   * @param size - Bytes; a positive multiple of the page size.
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`, or `ERR_SYSCALL` when the system has no memory left.
   *
   * @example
   * ```ts
   * const page = MappedMemory.anonymous(4096)
   * ```
   */
  static anonymous(size: number): MappedMemory {
    const what = `${size} bytes of anonymous memory`
    const memory = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0, what)
    // A page shared copy-on-write with a forked child would be copied away from under the device at the next write.
    if (libcCalls.madvise(memory, size, MADV_DONTFORK) !== 0) {
      const errno = lastErrno()
      libcCalls.munmap(memory, size)
      throw syscallError('madvise(MADV_DONTFORK)', errno, what)
    }
    return new MappedMemory(memory, size, what)
  }

  /**
   * Maps part of a file or of a device's region, shared.
   *
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`, also for what lies beyond a file's end or cannot be written;
   *   or `ERR_SYSCALL` with what was to be mapped.
   *
   * @example
   * ```ts
   * const bar = MappedMemory.fromFd(device, { offset: 0, size: 131072, readable: true, writable: true, what: 'BAR 0' })
   * ```
   */
  static fromFd(fd: Fd, options: MapFileOptions): MappedMemory {
    const { offset, size, readable, writable, what } = options
    if (!writable) throw invalidArgument('writable', writable, `true to map ${what}`)
    if (!Number.isSafeInteger(offset) || offset < 0 || offset % PAGE_SIZE !== 0) {
      throw invalidArgument('offset', offset, `a multiple of the page size, ${PAGE_SIZE}`)
    }
    assertInsideFile(fd, offset, size, what)
    const protection = PROT_WRITE | (readable ? PROT_READ : 0)
    return new MappedMemory(map(size, protection, MAP_SHARED, fd, offset, what), size, what)
  }

  /**
   * The memory as a buffer, always the same one.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED` once it was revoked.
   */
  get buffer(): ArrayBuffer {
    if (this.#revoked) {
      throw new OpenbarError('ERR_CLOSED', {
        message: `${this.#what}: closed, its memory is gone.`,
        context: { what: this.#what },
      })
    }
    return this.#buffer
  }

  /** Whether {@link MappedMemory.revoke} was called. */
  get revoked(): boolean {
    return this.#revoked
  }

  /**
   * Detaches every view and replaces the pages in place. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL` when the system cannot replace the pages; the views are detached then too.
   */
  revoke(): void {
    if (this.#revoked) return
    this.#revoked = true
    // The caller may have transferred the buffer away; then it is detached already, and transferring again would throw.
    if (!this.#buffer.detached) this.#buffer.transfer()
    const flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    const address = libcCalls.mmap(this.address, this.size, PROT_READ | PROT_WRITE, flags, -1, 0)
    if (address === MAP_FAILED) throw syscallError('mmap(MAP_FIXED)', lastErrno(), this.#what)
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

function map(size: number, protection: number, flags: number, fd: number, offset: number, what: string): bigint {
  if (!Number.isSafeInteger(size) || size <= 0 || size % PAGE_SIZE !== 0) {
    throw invalidArgument('size', size, `a positive multiple of the page size, ${PAGE_SIZE}`)
  }
  const address = libcCalls.mmap(null, size, protection, flags, fd, offset)
  if (address === MAP_FAILED || address === null) throw syscallError('mmap', lastErrno(), what)
  return address
}
