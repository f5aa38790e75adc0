import { NumberRegister } from './number-register.ts'

/** A register of 8 bits. */
export class Register8 extends NumberRegister {
  override read(): number {
    return this.access.read8(this.offset)
  }

  override write(value: number): void {
    this.access.write8(this.offset, value)
  }
}
