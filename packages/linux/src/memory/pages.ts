import type { Fd } from '../fd.ts'

/** Pages that are mapped into this process, of whatever kind. */
export interface Pages {
  readonly address: bigint
  /** Bytes, a multiple of the page size. */
  readonly size: number
  /** Bytes: the base page size, or that of the hugepages. */
  readonly pageSize: number
  /** What is mapped, as it should read in an error. */
  readonly what: string
  /** A file that goes with the pages and is closed with them. */
  readonly fd?: Fd<'file'>
}
