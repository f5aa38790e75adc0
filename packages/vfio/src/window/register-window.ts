import type { RegisterAccess } from '@openbar/pci'

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
  /** Whether accesses go straight to the device's memory. Else each is a system call, as for I/O port BARs. */
  readonly mapped: boolean
  /** Whether the window was closed or taken away. */
  readonly closed: boolean
  /**
   * The registers as 32-bit words, for hot paths: no checks, and a read whose result is not used may be left out.
   *
   * @throws {@link OpenbarError} `ERR_REGION` when the region cannot be mapped.
   */
  readonly u32: Uint32Array<ArrayBuffer>
  /** Gives the window back. Further calls do nothing. */
  close(): void
  [Symbol.dispose](): void
}
