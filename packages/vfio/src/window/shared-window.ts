import { invalidArgument, MappedMemory, OpenbarError } from '@openbar/linux'
import { MappedWindow } from './mapped-window.ts'
import type { RegisterWindow } from './register-window.ts'
import type { SharedRegisters } from './shared-registers.ts'
import { placeName, sharedWindowGone } from './window-error.ts'
import type { WindowPlace } from './window-owner.ts'

/**
 * A window over registers whose device is open in another thread.
 *
 * That thread marks its memory as gone before it replaces the pages: what was read before the mark was seen came from the device, so
 * the mark is looked for after each read.
 */
class SharedWindow implements RegisterWindow {
  readonly mapped = true
  readonly size: number
  readonly #memory: MappedMemory
  readonly #window: MappedWindow
  readonly #place: WindowPlace

  constructor(memory: MappedMemory, { size, address, region }: SharedRegisters) {
    this.size = size
    this.#memory = memory
    this.#place = { address, region }
    // Whether the device is there can be told from its config space, which the other thread has.
    const owner = { checkPresence: () => {}, windowClosed: () => {} }
    this.#window = new MappedWindow(memory, size, this.#place, owner)
  }

  get closed(): boolean {
    return this.#memory.revoked
  }

  get u8(): Uint8Array<ArrayBuffer> {
    return this.#held().u8
  }

  get u16(): Uint16Array<ArrayBuffer> {
    return this.#held().u16
  }

  get u32(): Uint32Array<ArrayBuffer> {
    return this.#held().u32
  }

  get u64(): BigUint64Array<ArrayBuffer> {
    return this.#held().u64
  }

  read8(offset: number): number {
    return this.#stillHeld(this.#held().read8(offset))
  }

  read16(offset: number): number {
    return this.#stillHeld(this.#held().read16(offset))
  }

  read32(offset: number): number {
    return this.#stillHeld(this.#held().read32(offset))
  }

  read64(offset: number): bigint {
    return this.#stillHeld(this.#held().read64(offset))
  }

  write8(offset: number, value: number): void {
    this.#held().write8(offset, value)
  }

  write16(offset: number, value: number): void {
    this.#held().write16(offset, value)
  }

  write32(offset: number, value: number): void {
    this.#held().write32(offset, value)
  }

  write64(offset: number, value: bigint): void {
    this.#held().write64(offset, value)
  }

  share(): SharedRegisters {
    this.#held()
    const what = placeName(this.#place)
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${what}: shared by another thread, which shares it with further ones itself.`,
      context: { what },
    })
  }

  close(): void {
    this.#window.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #held(): MappedWindow {
    if (!this.#memory.revoked) return this.#window
    // Its arrays would show memory that is nobody's.
    this.#window.close()
    throw sharedWindowGone(this.#place)
  }

  #stillHeld<Value>(value: Value): Value {
    this.#held()
    return value
  }
}

/**
 * Opens a window onto registers that another thread of this process has mapped and described by `window.share()`.
 *
 * Once that thread closes its window, has it taken away, or ends, the methods throw `ERR_CLOSED`, and arrays that are left reach harmless
 * memory. Closing this window leaves that thread's alone. Two threads must not use the same register at once: a read, a change and
 * a write are three steps, in which the other's write is lost. A device that was removed reads as ones here.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for anything but what a thread of this process has shared.
 *
 * @example
 * ```ts
 * parentPort.once('message', (shared) => {
 *   using bar0 = openSharedWindow(shared)
 *   console.log(bar0.read32(0x0008))
 * })
 * ```
 */
export function openSharedWindow(shared: SharedRegisters): RegisterWindow {
  const { address, region, size, memory } = Object(shared) as SharedRegisters
  const pages = MappedMemory.fromShared(memory)
  if (typeof address !== 'string' || typeof region !== 'string' || !(size > 0 && size <= pages.size)) {
    throw invalidArgument('shared', shared, 'what window.share() answered in a thread of this process')
  }
  return new SharedWindow(pages, shared)
}
