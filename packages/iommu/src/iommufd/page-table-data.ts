import {
  IOMMU_HWPT_DATA_VTD_S1,
  IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
  IOMMU_VTD_INV_FLAGS_LEAF,
  invalidArgument,
  iommuHwptVtdS1,
  iommuHwptVtdS1Invalidate,
} from '@openbar/linux'
import { type Iova, toIova } from '../iova.ts'

/** What describes a nested table to the IOMMU's driver: the kernel's number of the format, and a struct of it. */
export interface PageTableData {
  /** The format, as `enum iommu_hwpt_data_type` or its counterpart for invalidation numbers it. */
  readonly type: number
  /** The struct of that format. */
  readonly bytes: Uint8Array
}

/** What to forget of a nested table: the kernel's number of the format, and structs of it, all of one length. */
export interface Invalidation {
  /** The format, as `enum iommu_hwpt_data_type` or its counterpart for invalidation numbers it. */
  readonly type: number
  /** The entries, each a struct of that format. */
  readonly entries: readonly Uint8Array[]
}

/** A stage-1 table of VT-d. */
export interface VtdStage1Table {
  /** Where the table stands, as an address that the parent translates; a multiple of 4096. */
  readonly pageTable: Iova
  /** Bits of an address: 48 or 57. */
  readonly addressWidth: 48 | 57
  /** The struct's flags: supervisor requests, extended accessed, write protection, … ; 0 by default. */
  readonly flags?: number
}

/** Pages to forget of a stage-1 table of VT-d. */
export interface VtdStage1Range {
  /** The first address; a multiple of 4096. */
  readonly address: Iova
  /** How many pages of 4096 bytes. */
  readonly pages: number
  /** Whether only the last level of the table has changed. `false` by default. */
  readonly leaf?: boolean
}

const PAGE = 4096n
const ALL_PAGES = 0xffff_ffff_ffff_ffffn

/**
 * Describes a stage-1 table of an Intel IOMMU, for {@link PageTable.allocate} with a parent.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`.
 * @see linux/iommufd.h, `struct iommu_hwpt_vtd_s1`
 *
 * @example
 * ```ts
 * const nested = PageTable.allocate(space, deviceId, { parent, data: vtdStage1Table({ pageTable: 0x1000n, addressWidth:
 * 48 }) })
 * ```
 */
export function vtdStage1Table(table: VtdStage1Table): PageTableData {
  const { addressWidth, flags = 0 } = table
  if (addressWidth !== 48 && addressWidth !== 57) throw invalidArgument('addressWidth', addressWidth, '48 or 57')
  const data = iommuHwptVtdS1.allocate()
  data.flags = BigInt(flags)
  data.pgtbl_addr = pageAddress(table.pageTable, 'pageTable')
  data.addr_width = addressWidth
  return { type: IOMMU_HWPT_DATA_VTD_S1, bytes: data.bytes }
}

/**
 * Says which pages of a stage-1 table of an Intel IOMMU have changed, for {@link PageTable.invalidate}.
 *
 * @param ranges - `all` for the whole table.
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`.
 * @see linux/iommufd.h, `struct iommu_hwpt_vtd_s1_invalidate`
 *
 * @example
 * ```ts
 * nested.invalidate(vtdStage1Invalidation([{ address: 0x20_0000n, pages: 512, leaf: true }]))
 * ```
 */
export function vtdStage1Invalidation(ranges: 'all' | readonly VtdStage1Range[]): Invalidation {
  const entries =
    ranges === 'all'
      ? [invalidationEntry(0n, ALL_PAGES, false)]
      : ranges.map(({ address, pages, leaf = false }) => {
          if (!Number.isSafeInteger(pages) || pages <= 0)
            throw invalidArgument('pages', pages, 'a positive number of pages')
          return invalidationEntry(pageAddress(address, 'address'), BigInt(pages), leaf)
        })
  return { type: IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, entries }
}

function invalidationEntry(address: bigint, pages: bigint, leaf: boolean): Uint8Array {
  const entry = iommuHwptVtdS1Invalidate.allocate()
  entry.addr = address
  entry.npages = pages
  entry.flags = leaf ? IOMMU_VTD_INV_FLAGS_LEAF : 0
  return entry.bytes
}

function pageAddress(value: Iova, argument: string): bigint {
  const address = toIova(value, argument)
  if (address % PAGE !== 0n) throw invalidArgument(argument, value, `a multiple of ${PAGE}`)
  return address
}
