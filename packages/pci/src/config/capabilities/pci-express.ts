import type { RegisterAccess } from '../../access/register-access.ts'
import type { CapabilityDecoder } from '../capability.ts'
import { bit, bits } from './bits.ts'

/** Device/Port Type: PCI Express Base 5.0 §7.5.3.2. */
export type PciExpressType =
  | 'endpoint'
  | 'legacyEndpoint'
  | 'rootPort'
  | 'upstreamSwitchPort'
  | 'downstreamSwitchPort'
  | 'pciExpressToPciBridge'
  | 'pciToPciExpressBridge'
  | 'rootComplexIntegratedEndpoint'
  | 'rootComplexEventCollector'

const TYPES: Readonly<Record<number, PciExpressType>> = {
  0: 'endpoint',
  1: 'legacyEndpoint',
  4: 'rootPort',
  5: 'upstreamSwitchPort',
  6: 'downstreamSwitchPort',
  7: 'pciExpressToPciBridge',
  8: 'pciToPciExpressBridge',
  9: 'rootComplexIntegratedEndpoint',
  10: 'rootComplexEventCollector',
}

/** The speed of one lane, in GT/s, by its code: PCI Express Base 5.0 §7.5.3.6 and §7.5.3.18; 64 since 6.0. */
const SPEEDS: Readonly<Record<number, number>> = { 1: 2.5, 2: 5, 3: 8, 4: 16, 5: 32, 6: 64 }

/** A link as it can be, or as it is. */
export interface LinkRate {
  /** GT/s of each lane; `undefined` for a code that is reserved. */
  readonly speed: number | undefined
  /** Lanes; 0 when the link is down and says so. */
  readonly width: number
}

/**
 * The PCI Express capability (ID 0x10, 20 to 60 bytes), as it was when read.
 *
 * Source: PCI Express Base 5.0 §7.5.3.
 */
export interface PciExpress {
  readonly kind: 'pciExpress'
  readonly version: number
  /** `undefined` for a type that is reserved. */
  readonly type: PciExpressType | undefined
  /** Whether a port leads to a slot. */
  readonly slotImplemented: boolean
  /** Whether the function can be reset alone, through its device control register. */
  readonly functionLevelReset: boolean
  /** Largest payload in bytes that the function can take, and that it is set to send. */
  readonly maxPayloadSupported: number
  readonly maxPayload: number
  /** Largest read request in bytes that it is set to make. */
  readonly maxReadRequest: number
  /** Whether requests of the function have been sent and are not yet answered. */
  readonly transactionsPending: boolean
  /** `undefined` for functions inside the root complex, which have no link. */
  readonly link: { readonly maximum: LinkRate; readonly current: LinkRate } | undefined
}

/** Decodes {@link PciExpress}. */
export const pciExpress: CapabilityDecoder<PciExpress> = {
  id: 0x10,
  decode(registers) {
    const flags = registers.read16(2)
    const device = registers.read32(4)
    const control = registers.read16(8)
    const type = TYPES[bits(flags, 7, 4)]
    return {
      kind: 'pciExpress',
      version: bits(flags, 3, 0),
      type,
      slotImplemented: bit(flags, 8),
      functionLevelReset: bit(device, 28),
      maxPayloadSupported: 128 << bits(device, 2, 0),
      maxPayload: 128 << bits(control, 7, 5),
      maxReadRequest: 128 << bits(control, 14, 12),
      transactionsPending: bit(registers.read16(0x0a), 5),
      link: hasLink(type) ? readLink(registers) : undefined,
    }
  },
}

function hasLink(type: PciExpressType | undefined): boolean {
  return type !== 'rootComplexIntegratedEndpoint' && type !== 'rootComplexEventCollector'
}

function readLink(registers: RegisterAccess): { maximum: LinkRate; current: LinkRate } {
  return { maximum: linkRate(registers.read32(0x0c)), current: linkRate(registers.read16(0x12)) }
}

/** Link Capabilities and Link Status have speed and width at the same bits. */
function linkRate(value: number): LinkRate {
  return { speed: SPEEDS[bits(value, 3, 0)], width: bits(value, 9, 4) }
}
