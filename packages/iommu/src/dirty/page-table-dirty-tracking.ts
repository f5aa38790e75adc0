import { OpenbarError } from '@openbar/linux'
import type { PageTable } from '../iommufd/page-table.ts'
import { formatRange, type Iova } from '../iova.ts'
import { type DirtyBitmap, type DirtyRange, emptyBitmap, markRange } from './dirty-bitmap.ts'
import { checkDirtyRange, trackingOffError } from './dirty-errors.ts'
import type { DirtyTracking } from './dirty-tracking.ts'

/** What is mapped somewhere. */
interface Mapped {
  readonly iova: bigint
  readonly size: number
}

/** What is needed of a page table. */
type TrackingTable = Pick<PageTable, 'id' | 'tracking' | 'setDirtyTracking' | 'dirtyPages'>

const PAGE = 4096

/**
 * Dirty tracking by the IOMMU's page tables: exact to the page, and only what devices really wrote.
 *
 * It sees the devices that are attached to its page table, and no others.
 *
 * @see linux/iommufd.h, `struct iommu_hwpt_get_dirty_bitmap`
 *
 * @example
 * ```ts
 * const tracking = new PageTableDirtyTracking(table, () => domain.snapshot().mappings)
 * tracking.start()
 * const written = tracking.read(0x1000_0000, 64 * 1024 * 1024)
 * ```
 */
export class PageTableDirtyTracking implements DirtyTracking {
  readonly #table: TrackingTable
  readonly #mappings: () => readonly Mapped[]

  /**
   * @param table - Allocated with `dirtyTracking: true`.
   * @param mappings - Tells what is mapped in the table's address space now, ascending: the kernel does not tell of
   *   gaps.
   */
  constructor(table: TrackingTable, mappings: () => readonly Mapped[]) {
    this.#table = table
    this.#mappings = mappings
  }

  /** {@inheritDoc DirtyTracking.on} */
  get on(): boolean {
    return this.#table.tracking
  }

  /** {@inheritDoc DirtyTracking.start} */
  start(): void {
    if (!this.on) this.#table.setDirtyTracking(true)
  }

  /** {@inheritDoc DirtyTracking.stop} */
  stop(): void {
    if (this.on) this.#table.setDirtyTracking(false)
  }

  /** {@inheritDoc DirtyTracking.read} */
  read(iova: Iova, size: number): DirtyRange[] {
    const start = checkDirtyRange(iova, size, PAGE)
    if (!this.on) throw trackingOffError(`page table ${this.#table.id}`)
    const runs = mappedRuns(this.#mappings(), start, size)
    return runs.flatMap((run) => this.#table.dirtyPages(run.iova, run.size, { pageSize: PAGE }))
  }

  /** {@inheritDoc DirtyTracking.readBitmap} */
  readBitmap(iova: Iova, size: number): DirtyBitmap {
    const ranges = this.read(iova, size)
    const bitmap = emptyBitmap(BigInt(iova), size, PAGE)
    for (const range of ranges) markRange(bitmap, range)
    return bitmap
  }
}

/**
 * The parts of a range that are mapped without a gap.
 *
 * @throws {@link OpenbarError} `ERR_NOT_MAPPED` when the range cuts a mapping, as a type1 container does.
 */
function mappedRuns(mappings: readonly Mapped[], iova: bigint, size: number): Mapped[] {
  const end = iova + BigInt(size)
  const runs: { iova: bigint; size: number }[] = []
  for (const mapping of mappings) {
    const mappingEnd = mapping.iova + BigInt(mapping.size)
    if (mappingEnd <= iova || mapping.iova >= end) continue
    if (mapping.iova < iova || mappingEnd > end) throw cutError(iova, BigInt(size), mapping)
    const run = runs.at(-1)
    if (run !== undefined && run.iova + BigInt(run.size) === mapping.iova) run.size += mapping.size
    else runs.push({ iova: mapping.iova, size: mapping.size })
  }
  return runs
}

function cutError(iova: bigint, size: bigint, mapping: Mapped): OpenbarError<'ERR_NOT_MAPPED'> {
  return new OpenbarError('ERR_NOT_MAPPED', {
    message: `${formatRange(iova, size)} cuts the mapping ${formatRange(mapping.iova, BigInt(mapping.size))}.`,
    hint: 'Read whole mappings, one or several.',
    context: { iova, size },
  })
}
