import { NumberRegister } from './number-register.ts'

/** A register of 16 bits. */
export class Register16 extends NumberRegister {
  override read(): number {
    return this.access.read16(this.offset)
  }

  override write(value: number): void {
    this.access.write16(this.offset, value)
  }
}
