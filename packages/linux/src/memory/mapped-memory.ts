import { isMainThread } from 'node:worker_threads'
import { OpenbarError } from '../errors/openbar-error.ts'
import { closeFd, type Fd } from '../fd.ts'
import { viewMemory } from '../ffi/libc.ts'
import { type AnonymousOptions, anonymousPages } from './anonymous-pages.ts'
import { replacePages } from './map-pages.ts'
import { type MemfdOptions, memfdPages } from './memfd-pages.ts'
import { type MemoryFileOptions, memoryFdPages, memoryFilePages } from './memory-file.ts'
import { MemoryRecord } from './memory-record.ts'
import type { Pages } from './pages.ts'
import { type MapFileOptions, regionPages } from './region-pages.ts'
import { type BorrowedPages, borrowPages, type SharedMemory } from './shared-memory.ts'

/** Memory with a file descriptor for it. */
export type MemfdMemory = MappedMemory & { readonly fd: Fd<'file'> }

/**
 * Memory mapped into this process, that can be taken away without danger.
 *
 * {@link MappedMemory.revoke} detaches the buffer (so JavaScript reads `undefined` and its methods throw) and puts
 * anonymous memory in the place of the pages. Whatever still points there, a view that was transferred to a worker or
 * a pending asynchronous call, then reaches harmless memory instead of a fault. The range stays reserved for the life
 * of the process, for nobody can tell when the last such pointer is gone.
 *
 * A file must keep its length while it is mapped: pages beyond its end are a fault too. A memfd made here keeps it.
 *
 * The buffer is made when it is asked for and held weakly: the memory is the same without it, and whoever has to take
 * memory away must not keep what its users hold from being collected.
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
  /** Where the memory stands in this process. User space ends below 2^47, so this is a safe integer. */
  readonly address: number
  /** Size in bytes, a multiple of the page size. */
  readonly size: number
  /** Bytes of one page: 4096, or 2 MiB or 1 GiB for hugepages of the kernel's pool. Address and size are multiples of it. */
  readonly pageSize: number
  readonly #what: string
  readonly #fd: Fd<'file'> | undefined
  /** Asks the thread whose pages these are; `undefined` for pages of this one. */
  readonly #ownerRevoked: (() => boolean) | undefined
  #record: MemoryRecord | undefined
  #buffer: WeakRef<ArrayBuffer> | undefined
  #revoked = false

  private constructor({ address, size, pageSize, what, fd, revoked }: Pages & Partial<BorrowedPages>) {
    this.address = Number(address)
    this.size = size
    this.pageSize = pageSize
    this.#what = what
    this.#fd = fd
    this.#ownerRevoked = revoked
    // The main thread's end is the process's.
    if (!isMainThread && revoked === undefined) this.#record = new MemoryRecord(this.address, size)
  }

  /**
   * Maps zeroed private memory, present at once and kept out of child processes.
   *
   * From 2 MiB on it is aligned to 2 MiB and asks for transparent hugepages: where the kernel has one to spare, the IOMMU needs
   * one entry instead of 512. With `hugepages` the memory is of the kernel's pool, which is promised and never moved.
   *
   * @param size - Bytes; a positive multiple of the page size, that of the hugepages when they are asked for.
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`; `ERR_NO_HUGEPAGES` when the pool has too few, before any is taken;
   *   `ERR_SYSCALL` when the system has no memory left.
   *
   * @example
   * ```ts
   * const page = MappedMemory.anonymous(4096)
   * const ring = MappedMemory.anonymous(4 * 1024 * 1024, { hugepages: '2MiB' })
   * ```
   */
  static anonymous(size: number, options: AnonymousOptions = {}): MappedMemory {
    return new MappedMemory(anonymousPages(size, options))
  }

  /**
   * Makes a memfd: zeroed memory, present at once, that another process can map by its descriptor, {@link MappedMemory.fd}.
   *
   * It is sealed against shrinking, growing and further seals: no holder can cause a bus error by cutting it, or keep the
   * next one from mapping it. Seals do not stop a holder from punching a hole. What was there is zeros then, and a
   * device that has the range mapped goes on with the old pages, which this program no longer sees. With plain pages that
   * crashes nobody; with hugepages, a touch of the hole is a bus error while the pool has none free. Give the
   * descriptor only to programs that may spoil what is in the memory.
   *
   * @param size - Bytes; a positive multiple of the page size, that of the hugepages when they are asked for.
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`; `ERR_NO_HUGEPAGES` when the pool has too few, before any is taken;
   *   `ERR_SYSCALL`.
   * @see memfd_create(2), fcntl(2) (F_ADD_SEALS)
   *
   * @example
   * ```ts
   * const memory = MappedMemory.memfd(1024 * 1024, { name: 'packets' })
   * spawn('reader', { stdio: ['inherit', 'inherit', 'inherit', memory.fd] }) // it finds the memory at descriptor 3
   * ```
   */
  static memfd(size: number, options: MemfdOptions = {}): MemfdMemory {
    return new MappedMemory(memfdPages(size, options)) as MemfdMemory
  }

  /**
   * Maps a file of tmpfs or hugetlbfs, shared, and makes its pages present. Files elsewhere cannot be pinned for DMA.
   *
   * @throws {@link OpenbarError} `ERR_MEMORY_KIND` for a file on another file system, whose name is the context's `kind`, and for
   *   what is no regular file; `ERR_NO_HUGEPAGES`; `ERR_INVALID_ARGUMENT` for what is no whole page or beyond the end;
   *   `ERR_PERMISSION`; `ERR_SYSCALL`, also when the file system has no room for all pages.
   *
   * @example
   * ```ts
   * const memory = MappedMemory.fromFile('/dev/shm/packets', { offset: 4096 })
   * ```
   */
  static fromFile(path: string, options: MemoryFileOptions = {}): MappedMemory {
    return new MappedMemory(memoryFilePages(path, options))
  }

  /**
   * Maps a memfd, or an open file of tmpfs or hugetlbfs, that came from elsewhere, shared, and makes its pages present. The
   * descriptor stays the caller's, who may close it at once.
   *
   * Mapping is safe whatever the other side does. Using the memory is so as long as nobody shortens the file: a memfd sealed
   * with F_SEAL_SHRINK, as {@link MappedMemory.memfd} makes it, cannot be shortened; with any other, trust its other holders.
   *
   * @throws {@link OpenbarError} as {@link MappedMemory.fromFile}; `ERR_PERMISSION` also for a descriptor that was opened for
   *   reading only or is sealed against writing.
   *
   * @example
   * ```ts
   * const memory = MappedMemory.fromMemoryFd(asFd(3)) // as a parent process left it
   * ```
   */
  static fromMemoryFd(fd: Fd<'file'>, options: MemoryFileOptions = {}): MappedMemory {
    return new MappedMemory(memoryFdPages(fd, options))
  }

  /**
   * Maps part of a file or of a device's region, shared, as it is. For DMA memory see {@link MappedMemory.fromFile}.
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
    return new MappedMemory(regionPages(fd, options))
  }

  /**
   * Another thread's memory, as its {@link MappedMemory.share} has described it: the same pages, at the same address. Once that thread has
   * revoked them, or has ended, {@link MappedMemory.revoked} is true here too, and views that are left reach harmless memory.
   * {@link MappedMemory.revoke} detaches the views of this thread only.
   *
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for anything but what a thread of this process has shared.
   *
   * @example
   * ```ts
   * parentPort.once('message', (shared) => {
   *   const words = new Uint32Array(MappedMemory.fromShared(shared).buffer)
   *   Atomics.add(words, 0, 1)
   * })
   * ```
   */
  static fromShared(shared: SharedMemory): MappedMemory {
    return new MappedMemory(borrowPages(shared))
  }

  /**
   * Describes the memory to other threads of this process, by a plain object that can be posted to a worker; see
   * {@link MappedMemory.fromShared}. It stays this thread's: revoking it here takes it from all.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED` once it was revoked; `ERR_NOT_SUPPORTED` for what is another thread's, which shares it.
   *
   * @example
   * ```ts
   * worker.postMessage(memory.share())
   * ```
   */
  share(): SharedMemory {
    this.#assertHeld()
    if (this.#ownerRevoked !== undefined) {
      throw new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `${this.#what}: shared by another thread, which shares it with further ones itself.`,
        context: { what: this.#what },
      })
    }
    this.#record ??= new MemoryRecord(this.address, this.size)
    this.#record.share()
    const { address, size, pageSize } = this
    return { pid: process.pid, address, size, pageSize, record: this.#record.place, what: this.#what }
  }

  /**
   * The memory as a buffer: the same one for as long as anybody holds it or a view of it.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED` once it was revoked.
   */
  get buffer(): ArrayBuffer {
    this.#assertHeld()
    // There is never more than one, so that revoking can detach all views: another is made only after the last was collected.
    const held = this.#buffer?.deref()
    if (held !== undefined) return held
    const buffer = viewMemory(BigInt(this.address), this.size)
    this.#buffer = new WeakRef(buffer)
    return buffer
  }

  /**
   * The descriptor of a memfd, to hand to another process; `undefined` for memory of any other kind. It is closed on exec,
   * and by {@link MappedMemory.revoke}: do not close it.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED` once it was revoked.
   */
  get fd(): Fd<'file'> | undefined {
    this.#assertHeld()
    return this.#fd
  }

  /** Whether {@link MappedMemory.revoke} was called, here or in the thread that shared the memory. */
  get revoked(): boolean {
    return this.#revoked || this.#ownerRevoked?.() === true
  }

  /**
   * Detaches every view, replaces the pages in place and closes the memfd. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL` when the system cannot replace the pages; the views are detached then too.
   */
  revoke(): void {
    if (this.#revoked) return
    this.#revoked = true
    this.#record?.revoke()
    // The caller may have transferred the buffer away; then it is detached already, and transferring again would throw.
    const buffer = this.#buffer?.deref()
    if (buffer?.detached === false) buffer.transfer()
    if (this.#ownerRevoked !== undefined) return
    try {
      replacePages(BigInt(this.address), this.size, this.#what)
      this.#record?.release()
    } finally {
      if (this.#fd !== undefined) closeFd(this.#fd)
    }
  }

  #assertHeld(): void {
    if (!this.revoked) return
    throw new OpenbarError('ERR_CLOSED', {
      message: `${this.#what}: closed, its memory is gone.`,
      context: { what: this.#what },
    })
  }
}
