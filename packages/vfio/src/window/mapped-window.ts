import type { MappedMemory } from '@openbar/linux'
import type { RegisterWindow } from './register-window.ts'
import type { Revocable } from './revocable.ts'
import { windowError } from './window-error.ts'

/** What a window tells the device that it belongs to. */
export interface WindowOwner {
  /** A read returned all ones, which is what a device that is gone answers. Throws when it is. */
  checkPresence(): void
  /** The window was closed. */
  windowClosed(window: Revocable): void
  /** Called before a window that reads and writes a file writes; what it throws keeps the write from happening. */
  beforeWrite?(offset: number, bytes: DataView): void
}

/**
 * A window over registers that are mapped into this process.
 *
 * Each read compares its result with all ones: that finds a device that was pulled, and it keeps optimised code from
 * dropping a read whose result is not used.
 */
export class MappedWindow implements RegisterWindow, Revocable {
  readonly mapped = true
  readonly size: number
  readonly #what: string
  readonly #memory: MappedMemory
  readonly #owner: WindowOwner
  readonly #u8: Uint8Array
  readonly #u16: Uint16Array
  readonly #u32: Uint32Array<ArrayBuffer>
  readonly #u64: BigUint64Array

  constructor(memory: MappedMemory, size: number, what: string, owner: WindowOwner) {
    this.size = size
    this.#what = what
    this.#memory = memory
    this.#owner = owner
    // Elements beyond the region's end, in the last page, are left out.
    this.#u8 = new Uint8Array(memory.buffer, 0, size)
    this.#u16 = new Uint16Array(memory.buffer, 0, size >>> 1)
    this.#u32 = new Uint32Array(memory.buffer, 0, size >>> 2)
    this.#u64 = new BigUint64Array(memory.buffer, 0, size >>> 3)
  }

  get closed(): boolean {
    return this.#memory.revoked
  }

  get u32(): Uint32Array<ArrayBuffer> {
    if (this.closed) throw windowError(this.#what, true, 0, 4, this.size)
    return this.#u32
  }

  // The comparison of the product with the offset refuses, in one step, what is misaligned, negative, fractional or
  // too large; a revoked array has length 0, so it refuses everything.

  read8(offset: number): number {
    const array = this.#u8
    if (offset >>> 0 !== offset || offset >= array.length) this.#refuse(offset, 1)
    const value = array[offset]!
    if (value === 0xff) this.#owner.checkPresence()
    return value
  }

  read16(offset: number): number {
    const array = this.#u16
    const index = offset >>> 1
    if (index * 2 !== offset || index >= array.length) this.#refuse(offset, 2)
    const value = array[index]!
    if (value === 0xffff) this.#owner.checkPresence()
    return value
  }

  read32(offset: number): number {
    const array = this.#u32
    const index = offset >>> 2
    if (index * 4 !== offset || index >= array.length) this.#refuse(offset, 4)
    const value = array[index]!
    if (value === 0xffff_ffff) this.#owner.checkPresence()
    return value
  }

  read64(offset: number): bigint {
    const array = this.#u64
    const index = offset >>> 3
    if (index * 8 !== offset || index >= array.length) this.#refuse(offset, 8)
    const value = array[index]!
    if (value === 0xffff_ffff_ffff_ffffn) this.#owner.checkPresence()
    return value
  }

  write8(offset: number, value: number): void {
    const array = this.#u8
    if (offset >>> 0 !== offset || offset >= array.length) this.#refuse(offset, 1)
    array[offset] = value
  }

  write16(offset: number, value: number): void {
    const array = this.#u16
    const index = offset >>> 1
    if (index * 2 !== offset || index >= array.length) this.#refuse(offset, 2)
    array[index] = value
  }

  write32(offset: number, value: number): void {
    const array = this.#u32
    const index = offset >>> 2
    if (index * 4 !== offset || index >= array.length) this.#refuse(offset, 4)
    array[index] = value
  }

  write64(offset: number, value: bigint): void {
    const array = this.#u64
    const index = offset >>> 3
    if (index * 8 !== offset || index >= array.length) this.#refuse(offset, 8)
    array[index] = value
  }

  close(): void {
    if (this.closed) return
    try {
      this.#memory.revoke()
    } finally {
      this.#owner.windowClosed(this)
    }
  }

  revoke(): void {
    this.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #refuse(offset: number, width: number): never {
    // Without elements it is gone too: the caller may have transferred its buffer away.
    throw windowError(this.#what, this.closed || this.#u8.length === 0, offset, width, this.size)
  }
}
