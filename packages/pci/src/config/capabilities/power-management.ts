import type { CapabilityDecoder } from '../capability.ts'
import { bit, bits } from './bits.ts'

/** A power state of the function: D0 is on, D3hot is off but answers in config space. */
export type PowerState = 'D0' | 'D1' | 'D2' | 'D3hot'

const STATES = ['D0', 'D1', 'D2', 'D3hot'] as const

/**
 * The PCI Power Management capability (ID 0x01, 8 bytes), as it was when read.
 *
 * Source: PCI Bus Power Management Interface 1.2 §3.2; PCI Express Base 5.0 §7.5.2.
 */
export interface PowerManagement {
  readonly kind: 'powerManagement'
  /** 2 and 3 are in use. */
  readonly version: number
  /** The state that the function is in. */
  readonly state: PowerState
  /** Whether the function can be put into D1, and into D2. */
  readonly d1Support: boolean
  readonly d2Support: boolean
  /** Whether going from D3hot to D0 keeps the function's state. When not, that is a reset. */
  readonly noSoftReset: boolean
  /** The states from which the function can wake the system; D0, D1, D2, D3hot, D3cold are bits 0 to 4. */
  readonly pmeSupport: number
  readonly pmeEnable: boolean
  readonly pmeStatus: boolean
}

/** Decodes {@link PowerManagement}. */
export const powerManagement: CapabilityDecoder<PowerManagement> = {
  id: 0x01,
  decode(registers) {
    const capabilities = registers.read16(2)
    const control = registers.read16(4)
    return {
      kind: 'powerManagement',
      version: bits(capabilities, 2, 0),
      state: STATES[bits(control, 1, 0)] ?? 'D0',
      d1Support: bit(capabilities, 9),
      d2Support: bit(capabilities, 10),
      noSoftReset: bit(control, 3),
      pmeSupport: bits(capabilities, 15, 11),
      pmeEnable: bit(control, 8),
      pmeStatus: bit(control, 15),
    }
  },
}
