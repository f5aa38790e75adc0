import type { SharedRegisters } from './shared-registers.ts'
import { noArray, notShareable, windowGone } from './window-error.ts'
import type { WindowPlace } from './window-owner.ts'

/** What windows have in common that are not mapped as a whole: no array is all of the region. */
export abstract class WindowWithoutArrays {
  readonly mapped = false
  protected readonly place: WindowPlace

  constructor(place: WindowPlace) {
    this.place = place
  }

  abstract get closed(): boolean

  get u8(): Uint8Array<ArrayBuffer> {
    throw noArray(this.place)
  }

  get u16(): Uint16Array<ArrayBuffer> {
    throw noArray(this.place)
  }

  get u32(): Uint32Array<ArrayBuffer> {
    throw noArray(this.place)
  }

  get u64(): BigUint64Array<ArrayBuffer> {
    throw noArray(this.place)
  }

  share(): SharedRegisters {
    if (this.closed) throw windowGone(this.place)
    throw notShareable(this.place)
  }
}
