import { invalidArgument } from '@openbar/linux/errors'
import { accessError } from './access-error.ts'
import type { RegisterAccess } from './register-access.ts'
import type { RegisterMemory } from './register-memory.ts'

/**
 * Registers in ordinary memory: a dump to decode, or a stand-in for a device in a test. Reads and writes share the
 * given bytes.
 *
 * @example
 * ```ts
 * const config = new ConfigSpace(new BufferAccess(readFileSync('config.bin')))
 * console.log(config.vendorId.toString(16))
 * ```
 */
export class BufferAccess implements RegisterAccess {
  readonly size: number
  /** The bytes themselves. */
  readonly bytes: Uint8Array
  readonly #view: DataView

  /** @throws `ERR_INVALID_ARGUMENT` when `bytes` is neither a `Uint8Array` nor an `ArrayBuffer`. */
  constructor(bytes: Uint8Array | ArrayBuffer) {
    if (!(bytes instanceof Uint8Array) && !(bytes instanceof ArrayBuffer)) {
      throw invalidArgument('bytes', bytes, 'a Uint8Array or an ArrayBuffer')
    }
    this.bytes = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)
    this.size = this.bytes.byteLength
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.size)
  }

  /** The bytes, when they are aligned as registers are. Nobody takes them away. */
  get memory(): RegisterMemory | undefined {
    const { buffer, byteOffset } = this.bytes
    // Shared memory has other arrays, and is no device's.
    if (!(buffer instanceof ArrayBuffer) || byteOffset % 8 !== 0) return undefined
    return { buffer, byteOffset, checkPresence: () => {}, whenRevoked: () => {} }
  }

  read8(offset: number): number {
    this.#check(offset, 1)
    return this.#view.getUint8(offset)
  }

  read16(offset: number): number {
    this.#check(offset, 2)
    return this.#view.getUint16(offset, true)
  }

  read32(offset: number): number {
    this.#check(offset, 4)
    return this.#view.getUint32(offset, true)
  }

  read64(offset: number): bigint {
    this.#check(offset, 8)
    return this.#view.getBigUint64(offset, true)
  }

  write8(offset: number, value: number): void {
    this.#check(offset, 1)
    this.#view.setUint8(offset, value)
  }

  write16(offset: number, value: number): void {
    this.#check(offset, 2)
    this.#view.setUint16(offset, value, true)
  }

  write32(offset: number, value: number): void {
    this.#check(offset, 4)
    this.#view.setUint32(offset, value, true)
  }

  write64(offset: number, value: bigint): void {
    this.#check(offset, 8)
    this.#view.setBigUint64(offset, value, true)
  }

  #check(offset: number, width: number): void {
    // `>>> 0` changes all that is not a whole number of 32 bits: fractions, negatives, NaN.
    if (offset >>> 0 !== offset || offset > this.size - width || (offset & (width - 1)) !== 0) {
      throw accessError(offset, width, this.size)
    }
  }
}
