import type { RegisterAccess } from '../access/register-access.ts'
import type { RegisterMemory } from '../access/register-memory.ts'
import { Register16 } from './register-16.ts'
import type { RegisterInfo } from './register-types.ts'

/**
 * A register of 16 bits in memory: `read` and `write` are one load and one store. Its array has one element, so that the index is
 * a constant; once the memory is gone it has none, and the access says why.
 */
export class MemoryRegister16 extends Register16 {
  protected readonly cell: Uint16Array

  constructor(info: RegisterInfo, name: string, offset: number, access: RegisterAccess, memory: RegisterMemory) {
    super(info, name, offset, access)
    this.cell = new Uint16Array(memory.buffer, memory.byteOffset + offset, 1)
  }

  // Short on purpose: V8 puts functions of up to 27 bytes of bytecode, which this is, in the place of all their calls, but longer
  // ones only into the first thirty of a function.
  override read(): number {
    return this.cell[0] ?? this.refused()
  }

  override write(value: number): void {
    this.cell[0] = value
  }

  protected refused(): number {
    return super.read()
  }
}

/**
 * The same, for a register whose reading has an effect. The optimiser leaves out a load that is not used, and repeats one that
 * comes to naught; it does neither when the value was stored.
 */
export class MemoryEffectRegister16 extends MemoryRegister16 {
  protected readonly seen = new Uint16Array(new ArrayBuffer(2))

  override read(): number {
    const value = this.cell[0]
    if (value === undefined) return this.refused()
    this.seen[0] = value
    return value
  }
}
