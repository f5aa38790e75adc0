import type { MappedMemory } from '@openbar/linux'
import type { FileWindow } from './file-window.ts'
import { keepAlive } from './keep-alive.ts'
import { MappedPart } from './mapped-part.ts'
import { MappedView } from './mapped-view.ts'
import type { RegisterWindow } from './register-window.ts'
import { windowError, windowGone } from './window-error.ts'
import type { WindowOwner, WindowPlace } from './window-owner.ts'
import { WindowWithoutArrays } from './window-without-arrays.ts'

/** A part of a region, and its pages in this process. */
export interface SparsePart {
  readonly offset: number
  readonly size: number
  readonly memory: MappedMemory
}

/**
 * A window over a region that can be mapped in parts: accesses there go straight to the device's memory, and those elsewhere
 * through its file.
 */
export class SparseWindow extends WindowWithoutArrays implements RegisterWindow {
  readonly size: number
  /** What the device keeps of it. */
  readonly view: MappedView
  readonly #parts: readonly MappedPart[]
  readonly #rest: FileWindow
  readonly #owner: WindowOwner

  /** @param rest - The region through the device's file. */
  constructor(parts: readonly SparsePart[], rest: FileWindow, place: WindowPlace, owner: WindowOwner) {
    super(place)
    this.size = rest.size
    this.view = new MappedView(parts.map(({ memory }) => memory))
    this.#parts = parts.map(({ offset, size, memory }) => {
      const { buffer } = memory
      keepAlive(owner.keeper, buffer)
      return new MappedPart(offset, size, buffer)
    })
    this.#rest = rest
    this.#owner = owner
  }

  get closed(): boolean {
    return this.view.revoked
  }

  read8(offset: number): number {
    const part = this.#partAt(offset, 1)
    if (part === undefined) return this.#rest.read8(offset)
    return this.#read(part.u8[offset - part.start], 0xff)
  }

  read16(offset: number): number {
    const part = this.#partAt(offset, 2)
    if (part === undefined) return this.#rest.read16(offset)
    return this.#read(part.u16[(offset - part.start) / 2], 0xffff)
  }

  read32(offset: number): number {
    const part = this.#partAt(offset, 4)
    if (part === undefined) return this.#rest.read32(offset)
    return this.#read(part.u32[(offset - part.start) / 4], 0xffff_ffff)
  }

  read64(offset: number): bigint {
    const part = this.#partAt(offset, 8)
    if (part === undefined) return this.#rest.read64(offset)
    return this.#read(part.u64[(offset - part.start) / 8], 0xffff_ffff_ffff_ffffn)
  }

  write8(offset: number, value: number): void {
    const part = this.#partAt(offset, 1)
    if (part === undefined) this.#rest.write8(offset, value)
    else part.u8[offset - part.start] = value
  }

  write16(offset: number, value: number): void {
    const part = this.#partAt(offset, 2)
    if (part === undefined) this.#rest.write16(offset, value)
    else part.u16[(offset - part.start) / 2] = value
  }

  write32(offset: number, value: number): void {
    const part = this.#partAt(offset, 4)
    if (part === undefined) this.#rest.write32(offset, value)
    else part.u32[(offset - part.start) / 4] = value
  }

  write64(offset: number, value: bigint): void {
    const part = this.#partAt(offset, 8)
    if (part === undefined) this.#rest.write64(offset, value)
    else part.u64[(offset - part.start) / 8] = value
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

  /** The part that holds an access; `undefined` for one outside, which the rest checks. */
  #partAt(offset: number, width: number): MappedPart | undefined {
    if (this.closed) throw windowGone(this.place)
    const part = typeof offset === 'number' ? this.#parts.find((each) => each.holds(offset, width)) : undefined
    if (part === undefined) return undefined
    if (offset % width !== 0) throw windowError(this.place, false, offset, width, this.size)
    // The caller may have got hold of the buffer, and transferred it away.
    if (part.u8.length === 0) throw windowGone(this.place)
    return part
  }

  #read<Value extends number | bigint>(value: Value | undefined, allOnes: Value): Value {
    if (value === undefined) throw windowGone(this.place)
    if (value === allOnes) this.#owner.checkPresence()
    return value
  }
}
