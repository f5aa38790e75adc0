import type { RegisterAccess } from '@openbar/pci'
import type { SharedRegisters } from './shared-registers.ts'

/**
 * A device's registers, over a whole region, with offsets from the region's start.
 *
 * Reads and writes are single accesses of their width, in program order, checked for bounds and alignment. A read is
 * never left out, even when its result is not used, and a write never reads.
 *
 * A window is taken away when its device is closed, loses its domain, is reset or switches memory decoding off: its
 * methods then throw `ERR_CLOSED`, and its arrays are empty.
 *
 * @example
 * ```ts
 * const bar0 = device.bar(0).map()
 * bar0.write32(0x0000, bar0.read32(0x0000) | (1 << 26))
 * ```
 */
export interface RegisterWindow extends RegisterAccess {
  /**
   * Whether the whole region is mapped, so that every access goes straight to the device's memory. Else those outside its mapped
   * parts are system calls, as all are for I/O port BARs.
   */
  readonly mapped: boolean
  /** Whether the window was closed or taken away. */
  readonly closed: boolean
  /**
   * The registers as bytes, for hot paths: no checks, and optimised code may leave out a read whose result is not used, or read
   * twice. Where reading has an effect, use the methods.
   *
   * @throws {@link OpenbarError} `ERR_REGION` when the region cannot be mapped as a whole; `ERR_CLOSED`.
   */
  readonly u8: Uint8Array<ArrayBuffer>
  /** As {@link RegisterWindow.u8}, in 16-bit words. */
  readonly u16: Uint16Array<ArrayBuffer>
  /** As {@link RegisterWindow.u8}, in 32-bit words. */
  readonly u32: Uint32Array<ArrayBuffer>
  /** As {@link RegisterWindow.u8}, in 64-bit words; each access makes a `bigint`. */
  readonly u64: BigUint64Array<ArrayBuffer>
  /**
   * Describes the registers to other threads of this process, by a plain object that can be posted to a worker; see
   * {@link openSharedWindow}. The window stays this thread's, and is taken away from all threads at once.
   *
   * @throws {@link OpenbarError} `ERR_REGION` when the region is not mapped as a whole; `ERR_CLOSED`; `ERR_NOT_SUPPORTED` for a window that
   *   another thread shares.
   */
  share(): SharedRegisters
  /** Gives the window back. Further calls do nothing. */
  close(): void
  [Symbol.dispose](): void
}
