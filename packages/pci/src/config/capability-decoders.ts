import { type DeviceSerialNumber, deviceSerialNumber } from './capabilities/device-serial-number.ts'
import { type Msi, msi } from './capabilities/msi.ts'
import { type Msix, msix } from './capabilities/msix.ts'
import { type PciExpress, pciExpress } from './capabilities/pci-express.ts'
import { type PowerManagement, powerManagement } from './capabilities/power-management.ts'
import type { CapabilityDecoder, CapabilityHeader, UnknownCapability } from './capability.ts'

/** What a capability can be decoded to: one file each, and one entry here and in the table below. */
export type DecodedCapability = PowerManagement | Msi | Msix | PciExpress

/** What an extended capability can be decoded to. */
export type DecodedExtendedCapability = DeviceSerialNumber

/** A capability of the first 256 bytes; `kind` tells which. */
export type Capability = (DecodedCapability & CapabilityHeader) | UnknownCapability

/** A capability of the extended config space; `kind` tells which. */
export type ExtendedCapability = (DecodedExtendedCapability & CapabilityHeader) | UnknownCapability

/** The decoders for capabilities. */
export const capabilityDecoders: readonly CapabilityDecoder<DecodedCapability>[] = [
  powerManagement,
  msi,
  pciExpress,
  msix,
]

/** The decoders for extended capabilities. */
export const extendedCapabilityDecoders: readonly CapabilityDecoder<DecodedExtendedCapability>[] = [deviceSerialNumber]
