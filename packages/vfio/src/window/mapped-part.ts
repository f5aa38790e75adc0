/** A mapped part of a region, with its place there. */
export class MappedPart {
  /** Bytes from the region's start: of the first byte, and of the one behind the last. */
  readonly start: number
  readonly end: number
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly u64: BigUint64Array

  constructor(start: number, size: number, buffer: ArrayBuffer) {
    this.start = start
    this.end = start + size
    this.u8 = new Uint8Array(buffer, 0, size)
    this.u16 = new Uint16Array(buffer, 0, size >>> 1)
    this.u32 = new Uint32Array(buffer, 0, size >>> 2)
    this.u64 = new BigUint64Array(buffer, 0, size >>> 3)
  }

  /** Whether it holds the whole access. */
  holds(offset: number, width: number): boolean {
    return offset >= this.start && offset + width <= this.end
  }
}
