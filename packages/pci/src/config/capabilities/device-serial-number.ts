import type { CapabilityDecoder } from '../capability.ts'

/**
 * The Device Serial Number extended capability (ID 0x0003, 12 bytes).
 *
 * Source: PCI Express Base 5.0 §7.9.3.
 */
export interface DeviceSerialNumber {
  readonly kind: 'deviceSerialNumber'
  /** An EUI-64, unique among all devices of the vendor. */
  readonly serialNumber: bigint
}

/** Decodes {@link DeviceSerialNumber}. */
export const deviceSerialNumber: CapabilityDecoder<DeviceSerialNumber> = {
  id: 0x0003,
  decode(registers) {
    // Two reads: the capability is aligned to 4 bytes only.
    const low = BigInt(registers.read32(4))
    return { kind: 'deviceSerialNumber', serialNumber: (BigInt(registers.read32(8)) << 32n) | low }
  },
}
