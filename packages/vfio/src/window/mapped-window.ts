import type { MappedMemory } from '@openbar/linux'
import type { RegisterMemory } from '@openbar/pci'
import { keepAlive } from './keep-alive.ts'
import { MappedView } from './mapped-view.ts'
import type { RegisterWindow } from './register-window.ts'
import type { SharedRegisters } from './shared-registers.ts'
import { windowError, windowGone } from './window-error.ts'
import type { WindowOwner, WindowPlace } from './window-owner.ts'

// Both are constants over buffers of their own, for then V8 knows their lengths.

/** Tells that a condition which must be false is true, as `FALSE[Number(condition)] === undefined`: 0 is its only index. */
const FALSE = new Uint8Array(new ArrayBuffer(1))
/** An index that it does not have, 0xffff, is how a value of ones is noticed. Its elements are never looked at. */
const PRESENT = new Uint8Array(new ArrayBuffer(0xffff))

/**
 * A window over registers that are mapped into this process.
 *
 * Each read looks whether its result is all ones: that finds a device that was pulled, and it keeps optimised code from
 * dropping a read whose result is not used.
 */
export class MappedWindow implements RegisterWindow {
  readonly mapped = true
  readonly size: number
  /** What the device keeps of it. */
  readonly view: MappedView
  readonly #place: WindowPlace
  readonly #owner: WindowOwner
  readonly #u8: Uint8Array<ArrayBuffer>
  readonly #u16: Uint16Array<ArrayBuffer>
  readonly #u32: Uint32Array<ArrayBuffer>
  readonly #u64: BigUint64Array<ArrayBuffer>
  readonly #memory: RegisterMemory
  readonly #pages: MappedMemory

  constructor(memory: MappedMemory, size: number, place: WindowPlace, owner: WindowOwner) {
    this.size = size
    this.view = new MappedView([memory])
    this.#pages = memory
    this.#place = place
    this.#owner = owner
    const { buffer } = memory
    keepAlive(owner.keeper, buffer)
    // Elements beyond the region's end, in the last page, are left out.
    this.#u8 = new Uint8Array(buffer, 0, size)
    this.#u16 = new Uint16Array(buffer, 0, size >>> 1)
    this.#u32 = new Uint32Array(buffer, 0, size >>> 2)
    this.#u64 = new BigUint64Array(buffer, 0, size >>> 3)
    const { view } = this
    this.#memory = {
      buffer,
      byteOffset: 0,
      checkPresence: () => owner.checkPresence(),
      whenRevoked: (listener) => view.whenRevoked(listener),
    }
  }

  get closed(): boolean {
    return this.view.revoked
  }

  /** What bound registers stand on; `undefined` once it is gone. */
  get memory(): RegisterMemory | undefined {
    return this.#gone ? undefined : this.#memory
  }

  get u8(): Uint8Array<ArrayBuffer> {
    return this.#held(this.#u8)
  }

  get u16(): Uint16Array<ArrayBuffer> {
    return this.#held(this.#u16)
  }

  get u32(): Uint32Array<ArrayBuffer> {
    return this.#held(this.#u32)
  }

  get u64(): BigUint64Array<ArrayBuffer> {
    return this.#held(this.#u64)
  }

  // What is seldom is told by reading beyond an array's end, not by a condition of its own: V8 takes bounds checks out of loops,
  // and leaves all of a loop as it is when a condition can lead out of it. The comparison of the product with the offset refuses
  // what is misaligned, negative, fractional, too large or no number; a revoked array has length 0.

  read8(offset: number): number {
    const index = offset >>> 0
    if (FALSE[Number(index !== offset)] === undefined) this.#refuse(offset, 1)
    const value = this.#u8[index]
    if (value === undefined) this.#refuse(offset, 1)
    if (PRESENT[value | 0xff00] === undefined) this.#maybeGone(value, 0xff)
    return value
  }

  read16(offset: number): number {
    const index = offset >>> 1
    if (FALSE[Number(index * 2 !== offset)] === undefined) this.#refuse(offset, 2)
    const value = this.#u16[index]
    if (value === undefined) this.#refuse(offset, 2)
    if (PRESENT[value] === undefined) this.#maybeGone(value, 0xffff)
    return value
  }

  read32(offset: number): number {
    const index = offset >>> 2
    if (FALSE[Number(index * 4 !== offset)] === undefined) this.#refuse(offset, 4)
    const value = this.#u32[index]
    if (value === undefined) this.#refuse(offset, 4)
    if (PRESENT[value >>> 16] === undefined) this.#maybeGone(value, 0xffff_ffff)
    return value
  }

  read64(offset: number): bigint {
    const index = offset >>> 3
    if (FALSE[Number(index * 8 !== offset)] === undefined) this.#refuse(offset, 8)
    const value = this.#u64[index]
    if (value === undefined) this.#refuse(offset, 8)
    if (value === 0xffff_ffff_ffff_ffffn) this.#owner.checkPresence()
    return value
  }

  // A write must not read, so it asks whether the array has the index: V8 sees that the store asks the same. A revoked one has none.

  write8(offset: number, value: number): void {
    const array = this.#u8
    const index = offset >>> 0
    if (FALSE[Number(index !== offset)] === undefined) this.#refuse(offset, 1)
    if (FALSE[Number(!(index in array))] === undefined) this.#refuse(offset, 1)
    array[index] = value
  }

  write16(offset: number, value: number): void {
    const array = this.#u16
    const index = offset >>> 1
    if (FALSE[Number(index * 2 !== offset)] === undefined) this.#refuse(offset, 2)
    if (FALSE[Number(!(index in array))] === undefined) this.#refuse(offset, 2)
    array[index] = value
  }

  write32(offset: number, value: number): void {
    const array = this.#u32
    const index = offset >>> 2
    if (FALSE[Number(index * 4 !== offset)] === undefined) this.#refuse(offset, 4)
    if (FALSE[Number(!(index in array))] === undefined) this.#refuse(offset, 4)
    array[index] = value
  }

  write64(offset: number, value: bigint): void {
    const array = this.#u64
    const index = offset >>> 3
    if (FALSE[Number(index * 8 !== offset)] === undefined) this.#refuse(offset, 8)
    if (FALSE[Number(!(index in array))] === undefined) this.#refuse(offset, 8)
    array[index] = value
  }

  share(): SharedRegisters {
    if (this.closed) throw windowGone(this.#place)
    return { ...this.#place, size: this.size, memory: this.#pages.share() }
  }

  close(): void {
    if (this.closed) return
    try {
      this.view.revoke()
    } finally {
      this.#owner.windowClosed(this.view)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Without elements it is gone too: the caller may have transferred its buffer away. */
  get #gone(): boolean {
    return this.closed || this.#u8.length === 0
  }

  #held<View>(view: View): View {
    if (this.closed) throw windowGone(this.#place)
    return view
  }

  /** The upper bits of what was read are ones. */
  #maybeGone(value: number, allOnes: number): void {
    if (value === allOnes) this.#owner.checkPresence()
  }

  #refuse(offset: number, width: number): never {
    throw windowError(this.#place, this.#gone, offset, width, this.size)
  }
}
