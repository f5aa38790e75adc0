import type { RegisterMemory } from './register-memory.ts'

/**
 * Registers that can be read and written by offset: a BAR, a config space, a buffer that stands for one.
 *
 * All is little-endian, as PCI is. Offsets are in bytes. Writes keep the value's low bits, so the negative numbers that
 * JavaScript's bit operators make of bit 31 are fine. Implementations must perform each read, even when its result is
 * not used, since device registers can change on being read.
 *
 * Every method throws `ERR_OUT_OF_BOUNDS` when the access leaves `size`, `ERR_MISALIGNED` when the offset is no
 * multiple of the access's width, and `ERR_INVALID_ARGUMENT` when it is no whole number.
 *
 * @example
 * ```ts
 * function macAddressLow(bar0: RegisterAccess): number {
 *   return bar0.read32(0x5400)
 * }
 * ```
 */
export interface RegisterAccess {
  /** Bytes that can be reached. */
  readonly size: number
  /** The registers as memory, where that is what they are and it was not taken away; makes bound registers fast. */
  readonly memory?: RegisterMemory | undefined
  read8(offset: number): number
  read16(offset: number): number
  /** Unsigned. */
  read32(offset: number): number
  read64(offset: number): bigint
  write8(offset: number, value: number): void
  write16(offset: number, value: number): void
  write32(offset: number, value: number): void
  write64(offset: number, value: bigint): void
}
