import { invalidArgument } from '@openbar/linux'
import type { FaultQueue } from './fault-queue.ts'
import type { PageTable } from './page-table.ts'
import type { PageTableData } from './page-table-data.ts'

/** What a page table shall be like. */
export interface PageTableOptions {
  /** It can tell which pages devices have written. `false` by default. */
  readonly dirtyTracking?: boolean
  /** Other tables can nest in it. `false` by default. */
  readonly nestParent?: boolean
  /** The table that this one nests in: it translates to the parent's addresses, and `data` says where it stands. */
  readonly parent?: PageTable
  /** Takes the page requests of the table's devices. Linux 6.12 has that for nested tables only. */
  readonly faultQueue?: FaultQueue
  /** What the IOMMU's driver has to know of a nested table; such as {@link vtdStage1Table} gives. */
  readonly data?: PageTableData
}

/** How to read which pages were written. */
export interface DirtyReadOptions {
  /** Bytes that a bit stands for: a power of two, 4096 by default. */
  readonly pageSize?: number
  /** Leaves the pages marked for the next read, which is quicker just before an unmap. `false` by default. */
  readonly keep?: boolean
}

/** The kernel says EINVAL or EOPNOTSUPP to these, as it does to much else. */
export function checkPageTableOptions({ dirtyTracking, nestParent, parent, data }: PageTableOptions): void {
  if (parent === undefined) return
  if (!parent.nestParent)
    throw invalidArgument('parent', parent.id, 'a table that was allocated with { nestParent: true }')
  if (nestParent === true) throw invalidArgument('nestParent', nestParent, 'false for a table that nests in another')
  if (dirtyTracking === true)
    throw invalidArgument('dirtyTracking', dirtyTracking, 'false for a table that nests in another')
  if (data === undefined || data.bytes.byteLength === 0)
    throw invalidArgument('data', data, 'given for a table that nests in another')
}

/** The kind of table that was asked for, after "has no", and the release that brought the newest part of it. */
export function describePageTable(options: PageTableOptions): { readonly what: string; readonly since: string } {
  const { dirtyTracking, nestParent, parent, faultQueue } = options
  const what = [
    parent === undefined ? 'page table' : 'such nested page table',
    nestParent === true && 'that others nest in',
    dirtyTracking === true && 'with dirty tracking',
    faultQueue !== undefined && 'whose devices may ask for pages',
  ].filter((part) => part !== false)
  const plain = what.length === 1 && parent === undefined
  return { what: what.join(' '), since: faultQueue !== undefined ? '6.11' : plain ? '6.6' : '6.7' }
}
