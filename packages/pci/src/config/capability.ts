import type { RegisterAccess } from '../access/register-access.ts'

/** What every capability has, known or not. */
export interface CapabilityHeader {
  /** Capability ID: 8 bits, or 16 of an extended capability. */
  readonly id: number
  /** The ID's name in the specification; `undefined` for one that this package has never heard of. */
  readonly name: string | undefined
  /** Byte offset in config space. */
  readonly offset: number
  /** Bytes up to the next capability in config space, or to the end of its part of config space. */
  readonly extent: number
  /**
   * The capability's bytes, `extent` many. Read when asked for and never before: some devices misbehave when parts of
   * config space that they do not define are read (lspci(8), `-xxx`).
   */
  readonly bytes: Uint8Array
}

/** A capability that is not decoded: its ID has no decoder, or it does not fit where it stands. */
export interface UnknownCapability extends CapabilityHeader {
  readonly kind: 'unknown'
}

/**
 * How capabilities of one ID are decoded.
 *
 * `registers` begins at the capability's own first byte and is `extent` long: a decoder that reads past it fails as it
 * should.
 */
export interface CapabilityDecoder<Decoded extends { readonly kind: string }> {
  readonly id: number
  decode(registers: RegisterAccess): Decoded
}
