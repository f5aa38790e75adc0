import {
  addressOf,
  Errno,
  type Fd,
  IOMMU_HWPT_ALLOC,
  IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
  IOMMU_HWPT_ALLOC_NEST_PARENT,
  IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
  IOMMU_HWPT_FAULT_ID_VALID,
  IOMMU_HWPT_SET_DIRTY_TRACKING,
  invalidArgument,
  iommuHwptAlloc,
  iommuHwptSetDirtyTracking,
  OpenbarError,
  tryIoctl,
} from '@openbar/linux'
import { type DirtyBitmap, type DirtyRange, dirtyRanges } from '../dirty/dirty-bitmap.ts'
import { trackingOffError } from '../dirty/dirty-errors.ts'
import type { Iova } from '../iova.ts'
import type { IommufdAddressSpace } from './address-space.ts'
import { destroyObject } from './destroy-object.ts'
import { invalidatePageTable } from './invalidate-page-table.ts'
import { iovaRanges } from './iova-ranges.ts'
import type { Invalidation } from './page-table-data.ts'
import {
  checkPageTableOptions,
  type DirtyReadOptions,
  describePageTable,
  type PageTableOptions,
} from './page-table-options.ts'
import { readDirtyBitmap } from './read-dirty-bitmap.ts'
import { refusal } from './refusal.ts'
import { noTableYetError, outOfReachError, reachesNothing } from './table-reach.ts'
import { Users } from './users.ts'

/**
 * A hardware page table (HWPT): what the IOMMU walks for the devices that are attached to it.
 *
 * A table without a parent holds what its address space has mapped, from the start and ever after. One with a parent is
 * the caller's own, in memory that the parent translates. Without any table of the caller's, the kernel makes one when
 * a device joins an address space; a table is allocated for what that one lacks. A device is attached with the table's
 * {@link PageTable.id} in the place of the address space's.
 *
 * @see linux/iommufd.h, `struct iommu_hwpt_alloc`; Documentation/userspace-api/iommufd.rst
 *
 * @example
 * ```ts
 * using table = PageTable.allocate(space, deviceId, { dirtyTracking: true })
 * table.setDirtyTracking(true)
 * const written = table.dirtyPages(0x1000_0000, 64 * 1024 * 1024)
 * ```
 */
export class PageTable {
  /** The kernel's number of the table. */
  readonly id: number
  /** Whether it was allocated with dirty tracking. */
  readonly dirtyTracking: boolean
  /** Whether it was allocated as a parent. */
  readonly nestParent: boolean
  /** The table that it nests in. */
  readonly parent: PageTable | undefined
  readonly #space: IommufdAddressSpace
  readonly #children = new Users()
  readonly #holds: readonly (() => void)[]
  #tracking = false
  #closed = false

  private constructor(id: number, space: IommufdAddressSpace, options: PageTableOptions) {
    const { dirtyTracking = false, nestParent = false, parent, faultQueue } = options
    this.id = id
    this.dirtyTracking = dirtyTracking
    this.nestParent = nestParent
    this.parent = parent
    this.#space = space
    this.#holds = [parent?.usedBy(this.#name), faultQueue?.usedBy(this.#name)].filter((hold) => hold !== undefined)
  }

  /**
   * Allocates a page table that a device's IOMMU can walk. The device is not attached to it by that.
   *
   * @param deviceId - The device's number in the context, as binding it answered.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when the kernel or the IOMMU has no such tables, or makes them
   *   only while it attaches a device; `ERR_DOMAIN_STATE` when the table would not reach all that is mapped;
   *   `ERR_INVALID_ARGUMENT` for options that contradict each other; `ERR_CLOSED` for a parent or queue that was
   *   closed; `ERR_SYSCALL`, with ENOENT when the context has no such device.
   *
   * @example
   * ```ts
   * using parent = PageTable.allocate(space, deviceId, { nestParent: true })
   * const data = vtdStage1Table({ pageTable: 0x1000, addressWidth: 48 })
   * using nested = PageTable.allocate(space, deviceId, { parent, data })
   * ```
   */
  static allocate(space: IommufdAddressSpace, deviceId: number, options: PageTableOptions = {}): PageTable {
    const { dirtyTracking = false, nestParent = false, parent, faultQueue, data } = options
    checkPageTableOptions(options)
    const bytes = data?.bytes ?? new Uint8Array(0)
    // The data stands behind the struct, so that it lives as long as the call.
    const command = iommuHwptAlloc.allocate(bytes.byteLength)
    command.bytes.set(bytes, iommuHwptAlloc.size)
    command.size = iommuHwptAlloc.size
    command.flags =
      (dirtyTracking ? IOMMU_HWPT_ALLOC_DIRTY_TRACKING : 0) |
      (nestParent ? IOMMU_HWPT_ALLOC_NEST_PARENT : 0) |
      (faultQueue === undefined ? 0 : IOMMU_HWPT_FAULT_ID_VALID)
    command.dev_id = deviceId
    command.pt_id = parent === undefined ? space.ioas : parent.#idIn(space.fd)
    if (faultQueue !== undefined) command.fault_id = faultQueue.idIn(space.fd)
    if (data !== undefined) {
      command.data_type = data.type
      command.data_len = bytes.byteLength
      command.data_uptr = addressOf(command.bytes) + BigInt(iommuHwptAlloc.size)
    }
    const result = tryIoctl(space.fd, IOMMU_HWPT_ALLOC, command)
    if (result >= 0) {
      const table = new PageTable(command.out_hwpt_id, space, options)
      if (parent !== undefined || !reachesNothing(iovaRanges(space).ranges)) return table
      table.close()
      throw noTableYetError(deviceId)
    }
    if (result === -Errno.EADDRINUSE) throw outOfReachError(space, deviceId)
    const wish = describePageTable(options)
    throw refusal(IOMMU_HWPT_ALLOC, -result, {
      what: wish.what,
      target: `device ${deviceId}`,
      since: wish.since,
      hint: "The device has to be bound to this context, and a table's parent, queue and data have to suit its IOMMU.",
    })
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed
  }

  /** Whether dirty tracking is on. */
  get tracking(): boolean {
    return this.#tracking
  }

  /**
   * Switches dirty tracking on, with no page written, or off. Switched on again, it forgets what was written.
   *
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` for a table that was not allocated with it; `ERR_CLOSED`;
   *   `ERR_NOT_SUPPORTED`, `ERR_SYSCALL`.
   * @see linux/iommufd.h, `struct iommu_hwpt_set_dirty_tracking`
   *
   * @example
   * ```ts
   * table.setDirtyTracking(true)
   * ```
   */
  setDirtyTracking(on: boolean): void {
    this.#assertOpen()
    if (!this.dirtyTracking) {
      throw new OpenbarError('ERR_DOMAIN_STATE', {
        message: `${this.#name} cannot track what devices write: it was allocated without.`,
        hint: 'Allocate one with { dirtyTracking: true }, and attach the device to that.',
        context: { state: 'allocated without dirty tracking' },
      })
    }
    const command = iommuHwptSetDirtyTracking.allocate()
    command.size = iommuHwptSetDirtyTracking.size
    command.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0
    command.hwpt_id = this.id
    const result = tryIoctl(this.#fd, IOMMU_HWPT_SET_DIRTY_TRACKING, command)
    if (result < 0) {
      const asked = { what: 'dirty tracking', target: this.#name, since: '6.7' }
      throw refusal(IOMMU_HWPT_SET_DIRTY_TRACKING, -result, asked)
    }
    this.#tracking = on
  }

  /**
   * The ranges that devices have written since they were last read, or since tracking was switched on; ascending.
   *
   * @param iova - The first address; a multiple of the page size.
   * @param size - Bytes. The whole range has to be mapped: the kernel would leave out, without a word, all that lies
   *   behind a gap.
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` while tracking is off; `ERR_NOT_MAPPED` for a range with a gap;
   *   `ERR_IOVA_ALIGNMENT`, `ERR_INVALID_ARGUMENT`, `ERR_CLOSED`, `ERR_SYSCALL`. Nothing is forgotten then.
   * @see linux/iommufd.h, `struct iommu_hwpt_get_dirty_bitmap`
   *
   * @example
   * ```ts
   * for (const { iova, size } of table.dirtyPages(mapping.iova, mapping.size)) save(iova, size)
   * ```
   */
  dirtyPages(iova: Iova, size: number, options?: DirtyReadOptions): DirtyRange[] {
    return dirtyRanges(this.dirtyBitmap(iova, size, options))
  }

  /**
   * The same as {@link PageTable.dirtyPages}, as one bit for each page.
   *
   * @throws {@link OpenbarError} As there.
   *
   * @example
   * ```ts
   * const { bits } = table.dirtyBitmap(0x1000_0000, 1024 * 1024 * 1024, { keep: true })
   * ```
   */
  dirtyBitmap(iova: Iova, size: number, options: DirtyReadOptions = {}): DirtyBitmap {
    this.#assertOpen()
    if (!this.#tracking) throw trackingOffError(this.#name)
    const { pageSize = 4096, keep = false } = options
    return readDirtyBitmap(this.#space, this.id, { iova, size, pageSize, keep })
  }

  /**
   * Tells the IOMMU which parts of a nested table have changed.
   *
   * @param invalidation - Without entries nothing is done, and a format that the IOMMU does not know is refused all the
   *   same.
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` for a table without a parent; `ERR_NOT_SUPPORTED` for a format or
   *   kernel that has no such thing; `ERR_SYSCALL` naming the entry that was refused, those before it being done;
   *   `ERR_INVALID_ARGUMENT`, `ERR_CLOSED`.
   * @see linux/iommufd.h, `struct iommu_hwpt_invalidate`
   *
   * @example
   * ```ts
   * nested.invalidate(vtdStage1Invalidation('all'))
   * ```
   */
  invalidate(invalidation: Invalidation): void {
    this.#assertOpen()
    if (this.parent === undefined) {
      throw new OpenbarError('ERR_DOMAIN_STATE', {
        message: `${this.#name} needs no invalidation: the kernel manages it.`,
        hint: 'Only tables that nest in another are invalidated.',
        context: { state: 'managed by the kernel' },
      })
    }
    invalidatePageTable(this.#fd, this.id, invalidation)
  }

  /**
   * Gives the table back. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` while tables nest in it or devices are attached to it, naming
   *   which; it stays open then.
   */
  close(): void {
    if (this.#closed) return
    const holders = () => this.#children.describe() ?? 'a device that is attached to it'
    destroyObject(this.#fd, this.id, this.#name, holders)
    this.#closed = true
    this.#tracking = false
    for (const release of this.#holds) release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  usedBy(name: string): () => void {
    this.#assertOpen()
    return this.#children.add(name)
  }

  get #name(): string {
    return `page table ${this.id}`
  }

  get #fd(): Fd<'iommufd'> {
    return this.#space.fd
  }

  #idIn(fd: Fd<'iommufd'>): number {
    this.#assertOpen()
    if (this.#fd !== fd) throw invalidArgument('parent', this.id, 'a table of the same iommufd context')
    return this.id
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new OpenbarError('ERR_CLOSED', {
      message: `Page table ${this.id} was closed.`,
      context: { what: 'page table' },
    })
  }
}
