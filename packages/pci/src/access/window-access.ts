import { invalidArgument } from '@openbar/linux/errors'
import { accessError } from './access-error.ts'
import type { RegisterAccess } from './register-access.ts'
import type { RegisterMemory } from './register-memory.ts'

/**
 * A part of another access, with offsets of its own: a capability in config space, a queue's registers in a BAR.
 *
 * Bounds are the window's; alignment is checked in the window and again, by its own rules, in the access below.
 *
 * @example
 * ```ts
 * const queue1 = new WindowAccess(bar0, 0x1000, 0x40)
 * queue1.read32(0x10) // bar0.read32(0x1010)
 * ```
 */
export class WindowAccess implements RegisterAccess {
  readonly size: number
  readonly #below: RegisterAccess
  readonly #start: number

  /**
   * @param below - What the window is cut from.
   * @param start - Byte offset of the window's first byte in `below`.
   * @param size - Bytes of the window.
   * @throws `ERR_INVALID_ARGUMENT` when the window is not inside `below`.
   */
  constructor(below: RegisterAccess, start: number, size: number) {
    if (!Number.isInteger(start) || start < 0 || start > below.size) {
      throw invalidArgument('start', start, `an offset from 0 to ${below.size}`)
    }
    if (!Number.isInteger(size) || size < 0 || size > below.size - start) {
      throw invalidArgument('size', size, `a number of bytes from 0 to ${below.size - start}`)
    }
    this.#below = below
    this.#start = start
    this.size = size
  }

  /** The part of the memory below, when it is aligned as registers are. */
  get memory(): RegisterMemory | undefined {
    const { memory } = this.#below
    if (memory === undefined || this.#start % 8 !== 0) return undefined
    return {
      buffer: memory.buffer,
      byteOffset: memory.byteOffset + this.#start,
      checkPresence: () => memory.checkPresence(),
      whenRevoked: (listener) => memory.whenRevoked(listener),
    }
  }

  read8(offset: number): number {
    return this.#below.read8(this.#at(offset, 1))
  }

  read16(offset: number): number {
    return this.#below.read16(this.#at(offset, 2))
  }

  read32(offset: number): number {
    return this.#below.read32(this.#at(offset, 4))
  }

  read64(offset: number): bigint {
    return this.#below.read64(this.#at(offset, 8))
  }

  write8(offset: number, value: number): void {
    this.#below.write8(this.#at(offset, 1), value)
  }

  write16(offset: number, value: number): void {
    this.#below.write16(this.#at(offset, 2), value)
  }

  write32(offset: number, value: number): void {
    this.#below.write32(this.#at(offset, 4), value)
  }

  write64(offset: number, value: bigint): void {
    this.#below.write64(this.#at(offset, 8), value)
  }

  #at(offset: number, width: number): number {
    if (offset >>> 0 !== offset || offset > this.size - width || (offset & (width - 1)) !== 0) {
      throw accessError(offset, width, this.size)
    }
    return this.#start + offset
  }
}
