import type { Iova } from '../iova.ts'
import type { DirtyBitmap, DirtyRange } from './dirty-bitmap.ts'

/**
 * Tells which pages devices have written, on every backend alike. What the program itself writes is not seen.
 *
 * Each read answers what was written since the last read of the same pages, or since the start. What is unmapped takes
 * its answer with it: read before unmapping.
 *
 * @example
 * ```ts
 * tracking.start()
 * copyAll()
 * for (const { iova, size } of tracking.read(0x1000_0000, memorySize)) copyAgain(iova, size)
 * tracking.stop()
 * ```
 */
export interface DirtyTracking {
  /** Whether it is on. */
  readonly on: boolean
  /**
   * Starts, with no page written. Does nothing while it is on.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when the kernel or the IOMMU has no dirty tracking;
   *   `ERR_DOMAIN_STATE` when it cannot be started now; `ERR_SYSCALL`.
   */
  start(): void
  /**
   * Stops. What was not read is lost. Does nothing while it is off.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL`.
   */
  stop(): void
  /**
   * The ranges that devices have written since the last read of them, ascending.
   *
   * @param iova - The first address; a multiple of the page size.
   * @param size - Bytes. The range may span several mappings, and gaps between them, but cuts none.
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` while it is off; `ERR_NOT_MAPPED` when the range cuts a mapping;
   *   `ERR_IOVA_ALIGNMENT`, `ERR_INVALID_ARGUMENT`, `ERR_SYSCALL`. Nothing is forgotten then.
   */
  read(iova: Iova, size: number): DirtyRange[]
  /** The same as one bit for each page, to be merged with others. */
  readBitmap(iova: Iova, size: number): DirtyBitmap
}
