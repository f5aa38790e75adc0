import type { RegisterAccess } from '@openbar/pci'

const COMMAND = 0x04
const COMMAND_MEMORY_SPACE = 1 << 1
const CAPABILITIES_POINTER = 0x34
const CAPABILITY_PM = 0x01
const PMCSR = 4
const PMCSR_STATE = 0x3

/** What a guarded config space needs of its device. */
export interface ConfigOwner {
  /** The live config space; throws when the device has no domain. */
  configWindow(): RegisterAccess
  /** Takes every mapped window away. */
  revokeWindows(): void
}

/**
 * A live device's config space. A write that would make the device's memory unreachable, by switching memory decoding
 * off or leaving D0, first takes the windows onto it away: touching them would end the process.
 *
 * @see PCI Local Bus 3.0, 6.2.2 (command register); PCI Power Management 1.2, 3.2.4 (PMCSR)
 */
export class ConfigAccess implements RegisterAccess {
  readonly #owner: ConfigOwner

  constructor(owner: ConfigOwner) {
    this.#owner = owner
  }

  get size(): number {
    return this.#owner.configWindow().size
  }

  read8(offset: number): number {
    return this.#owner.configWindow().read8(offset)
  }

  read16(offset: number): number {
    return this.#owner.configWindow().read16(offset)
  }

  read32(offset: number): number {
    return this.#owner.configWindow().read32(offset)
  }

  read64(offset: number): bigint {
    return this.#owner.configWindow().read64(offset)
  }

  write8(offset: number, value: number): void {
    this.#guard(offset, 1, BigInt(value))
    this.#owner.configWindow().write8(offset, value)
  }

  write16(offset: number, value: number): void {
    this.#guard(offset, 2, BigInt(value))
    this.#owner.configWindow().write16(offset, value)
  }

  write32(offset: number, value: number): void {
    this.#guard(offset, 4, BigInt(value))
    this.#owner.configWindow().write32(offset, value)
  }

  write64(offset: number, value: bigint): void {
    this.#guard(offset, 8, value)
    this.#owner.configWindow().write64(offset, value)
  }

  #guard(offset: number, width: number, value: bigint): void {
    const byteAt = (address: number): number | undefined =>
      address >= offset && address < offset + width
        ? Number((value >> BigInt((address - offset) * 8)) & 0xffn)
        : undefined
    const command = byteAt(COMMAND)
    const decodingOff = command !== undefined && (command & COMMAND_MEMORY_SPACE) === 0
    const leavesD0 = !decodingOff && this.#writesPowerState(byteAt)
    if (decodingOff || leavesD0) this.#owner.revokeWindows()
  }

  #writesPowerState(byteAt: (address: number) => number | undefined): boolean {
    const config = this.#owner.configWindow()
    let pointer = config.read8(CAPABILITIES_POINTER) & 0xfc
    // At most 48 capabilities fit between the header and the end of the first 256 bytes.
    for (let count = 0; pointer >= 0x40 && count < 48; count += 1) {
      if (config.read8(pointer) === CAPABILITY_PM) {
        const state = byteAt(pointer + PMCSR)
        return state !== undefined && (state & PMCSR_STATE) !== 0
      }
      pointer = config.read8(pointer + 1) & 0xfc
    }
    return false
  }
}
