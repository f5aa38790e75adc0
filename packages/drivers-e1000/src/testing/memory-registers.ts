import type { RegisterAccess } from '@openbar/vfio'

/** A NIC's registers in memory, each of 32 bits. Tests override the accesses to have them behave like a NIC's. */
export class MemoryRegisters implements RegisterAccess {
  readonly size = 0x6000
  readonly #words = new Uint32Array(this.size / 4)

  read32(offset: number): number {
    const value = this.#words[offset / 4]
    return value ?? refuse()
  }

  write32(offset: number, value: number): void {
    if (offset / 4 in this.#words) this.#words[offset / 4] = value
    else refuse()
  }

  read8 = refuse
  read16 = refuse
  read64 = refuse
  write8 = refuse
  write16 = refuse
  write64 = refuse
}

function refuse(): never {
  throw new RangeError('These registers are reached 32 bits at a time.')
}
