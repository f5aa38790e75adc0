/** A link of a chain of VFIO info capabilities (`struct vfio_info_cap_header`). */
export interface InfoCapability {
  readonly id: number
  readonly version: number
  /** The capability's bytes, its header included, up to the end of the buffer it came in. */
  readonly view: DataView
}

const HEADER_SIZE = 8

/**
 * Walks the chain of capabilities that a VFIO INFO ioctl put behind its struct.
 *
 * The chain comes from outside: an offset that leaves the buffer, or that was visited before, ends the walk.
 *
 * @param bytes - The whole answer, from the struct's first byte.
 * @param firstOffset - The struct's `cap_offset`; 0 for none.
 * @see linux/vfio.h, `struct vfio_info_cap_header`: id (u16), version (u16), next (u32, from the start of the info struct).
 *
 * @example
 * ```ts
 * for (const { id } of infoCapabilities(info.bytes, info.cap_offset)) console.log(id)
 * ```
 */
export function infoCapabilities(bytes: Uint8Array, firstOffset: number): InfoCapability[] {
  const capabilities: InfoCapability[] = []
  const visited = new Set<number>()
  let offset = firstOffset
  while (offset !== 0 && offset + HEADER_SIZE <= bytes.byteLength && !visited.has(offset)) {
    visited.add(offset)
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, bytes.byteLength - offset)
    capabilities.push({ id: view.getUint16(0, true), version: view.getUint16(2, true), view })
    offset = view.getUint32(4, true)
  }
  return capabilities
}
