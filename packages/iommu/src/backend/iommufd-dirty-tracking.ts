import { OpenbarError } from '@openbar/linux'
import type { DirtyBitmap, DirtyRange } from '../dirty/dirty-bitmap.ts'
import { trackingOffError } from '../dirty/dirty-errors.ts'
import type { DirtyTracking } from '../dirty/dirty-tracking.ts'
import { PageTableDirtyTracking } from '../dirty/page-table-dirty-tracking.ts'
import type { IommufdAddressSpace } from '../iommufd/address-space.ts'
import { PageTable } from '../iommufd/page-table.ts'
import type { Iova } from '../iova.ts'
import type { Mapping } from '../mapping.ts'
import type { BackendAttachment } from './backend.ts'

/**
 * Dirty tracking of a domain on iommufd: while it is on, the domain's devices stand on a page table of our own, for the one that
 * the kernel makes by itself does not track.
 *
 * @see linux/iommufd.h, IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 */
export class IommufdDirtyTracking implements DirtyTracking {
  readonly #space: IommufdAddressSpace
  readonly #devices: () => readonly BackendAttachment[]
  readonly #mappings: () => readonly Mapping[]
  /** The table that devices stand on while tracking is on. */
  #active: { readonly table: PageTable; readonly tracking: PageTableDirtyTracking } | undefined

  constructor(
    space: IommufdAddressSpace,
    devices: () => readonly BackendAttachment[],
    mappings: () => readonly Mapping[],
  ) {
    this.#space = space
    this.#devices = devices
    this.#mappings = mappings
  }

  get on(): boolean {
    return this.#active !== undefined
  }

  /** The page table that a device has to stand on now; `undefined` for the kernel's. */
  get table(): PageTable | undefined {
    return this.#active?.table
  }

  start(): void {
    if (this.on) return
    const devices = this.#devices()
    const deviceId = devices[0]?.deviceId
    if (deviceId === undefined) {
      throw new OpenbarError('ERR_DOMAIN_STATE', {
        message: 'Dirty tracking needs a device: the IOMMU in front of it tracks.',
        hint: 'Let one in first: Device.open(address, { domain }).',
        context: { state: 'without devices' },
      })
    }
    const table = PageTable.allocate(this.#space, deviceId, { dirtyTracking: true })
    try {
      for (const device of devices) device.usePageTable(table)
      const tracking = new PageTableDirtyTracking(table, this.#mappings)
      tracking.start()
      this.#active = { table, tracking }
    } catch (error) {
      this.#leave(table)
      throw error
    }
  }

  stop(): void {
    const active = this.#active
    if (active === undefined) return
    this.#active = undefined
    try {
      active.tracking.stop()
    } finally {
      this.#leave(active.table)
    }
  }

  read(iova: Iova, size: number): DirtyRange[] {
    return this.#tracking.read(iova, size)
  }

  readBitmap(iova: Iova, size: number): DirtyBitmap {
    return this.#tracking.readBitmap(iova, size)
  }

  get #tracking(): PageTableDirtyTracking {
    if (this.#active !== undefined) return this.#active.tracking
    throw trackingOffError('this domain')
  }

  #leave(table: PageTable): void {
    for (const device of this.#devices()) device.usePageTable(undefined)
    table.close()
  }
}
