import type { CapabilityDecoder } from '../capability.ts'
import { bit, bits } from './bits.ts'

/**
 * The Message Signaled Interrupts capability (ID 0x05, 10 to 24 bytes), as it was when read.
 *
 * Source: PCI Local Bus 3.0 §6.8.1; PCI Express Base 5.0 §7.7.1.
 */
export interface Msi {
  readonly kind: 'msi'
  readonly enable: boolean
  /** Vectors that the function asks for: 1, 2, 4, 8, 16 or 32. */
  readonly vectorsSupported: number
  /** Vectors that the system gave it. */
  readonly vectorsEnabled: number
  /** Whether messages can go to addresses above 4 GiB. */
  readonly address64: boolean
  /** Whether each vector can be masked. */
  readonly perVectorMasking: boolean
  /** Where a message is written, and what. */
  readonly messageAddress: bigint
  readonly messageData: number
  /** Bit per vector; `undefined` without per-vector masking. */
  readonly mask: number | undefined
  readonly pending: number | undefined
}

/** Decodes {@link Msi}. */
export const msi: CapabilityDecoder<Msi> = {
  id: 0x05,
  decode(registers) {
    const control = registers.read16(2)
    const address64 = bit(control, 7)
    const perVectorMasking = bit(control, 8)
    // A 64-bit address shifts all that follows by its upper half.
    const shift = address64 ? 4 : 0
    const high = address64 ? registers.read32(8) : 0
    return {
      kind: 'msi',
      enable: bit(control, 0),
      vectorsSupported: 1 << bits(control, 3, 1),
      vectorsEnabled: 1 << bits(control, 6, 4),
      address64,
      perVectorMasking,
      messageAddress: (BigInt(high) << 32n) | BigInt(registers.read32(4)),
      messageData: registers.read16(0x08 + shift),
      mask: perVectorMasking ? registers.read32(0x0c + shift) : undefined,
      pending: perVectorMasking ? registers.read32(0x10 + shift) : undefined,
    }
  },
}
