import { NumberRegister } from './number-register.ts'

/** A register of 32 bits. */
export class Register32 extends NumberRegister {
  override read(): number {
    return this.access.read32(this.offset)
  }

  override write(value: number): void {
    this.access.write32(this.offset, value)
  }
}
