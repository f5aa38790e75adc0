import type { CapabilityDecoder } from '../capability.ts'
import { bit, bits } from './bits.ts'

/** A place in one of the function's BARs. */
export interface BarLocation {
  /** BAR indicator: which BAR, 0 to 5; 6 and 7 are reserved. */
  readonly bar: number
  /** Bytes from the BAR's start. */
  readonly offset: number
}

/**
 * The MSI-X capability (ID 0x11, 12 bytes), as it was when read.
 *
 * Source: PCI Local Bus 3.0 §6.8.2; PCI Express Base 5.0 §7.7.2.
 */
export interface Msix {
  readonly kind: 'msix'
  readonly enable: boolean
  /** Whether all vectors are masked at once. */
  readonly functionMask: boolean
  /** Vectors, 1 to 2048; each has 16 bytes in the table. */
  readonly tableSize: number
  readonly table: BarLocation
  /** The pending bit array. */
  readonly pendingBits: BarLocation
}

/** Decodes {@link Msix}. */
export const msix: CapabilityDecoder<Msix> = {
  id: 0x11,
  decode(registers) {
    const control = registers.read16(2)
    return {
      kind: 'msix',
      enable: bit(control, 15),
      functionMask: bit(control, 14),
      tableSize: bits(control, 10, 0) + 1,
      table: location(registers.read32(4)),
      pendingBits: location(registers.read32(8)),
    }
  },
}

function location(value: number): BarLocation {
  return { bar: value & 0b111, offset: (value & ~0b111) >>> 0 }
}
