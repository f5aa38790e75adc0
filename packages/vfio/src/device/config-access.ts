import type { RegisterAccess } from '@openbar/pci'

/**
 * A device's config space through all of its domains: each access goes to the live one, and throws when there is none.
 */
export class ConfigAccess implements RegisterAccess {
  readonly #live: () => RegisterAccess

  /** @param live - The live config space; throws when the device has no domain. */
  constructor(live: () => RegisterAccess) {
    this.#live = live
  }

  get size(): number {
    return this.#live().size
  }

  read8(offset: number): number {
    return this.#live().read8(offset)
  }

  read16(offset: number): number {
    return this.#live().read16(offset)
  }

  read32(offset: number): number {
    return this.#live().read32(offset)
  }

  read64(offset: number): bigint {
    return this.#live().read64(offset)
  }

  write8(offset: number, value: number): void {
    this.#live().write8(offset, value)
  }

  write16(offset: number, value: number): void {
    this.#live().write16(offset, value)
  }

  write32(offset: number, value: number): void {
    this.#live().write32(offset, value)
  }

  write64(offset: number, value: bigint): void {
    this.#live().write64(offset, value)
  }
}
