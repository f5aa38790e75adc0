import type { RegisterAccess } from '../access/register-access.ts'
import type { RegisterMemory } from '../access/register-memory.ts'
import { Register64 } from './register-64.ts'
import type { RegisterInfo } from './register-types.ts'

/**
 * A register of 64 bits in memory: `read` and `write` are one load and one store. Its array has one element, so that the index is
 * a constant; once the memory is gone it has none, and the access says why.
 */
export class MemoryRegister64 extends Register64 {
  protected readonly cell: BigUint64Array

  constructor(info: RegisterInfo, name: string, offset: number, access: RegisterAccess, memory: RegisterMemory) {
    super(info, name, offset, access)
    this.cell = new BigUint64Array(memory.buffer, memory.byteOffset + offset, 1)
  }

  // Short on purpose: V8 puts functions of up to 27 bytes of bytecode, which this is, in the place of all their calls, but longer
  // ones only into the first thirty of a function.
  override read(): bigint {
    return this.cell[0] ?? this.refused()
  }

  override write(value: bigint): void {
    this.cell[0] = value
  }

  protected refused(): bigint {
    return super.read()
  }
}

/**
 * The same, for a register whose reading has an effect. The optimiser leaves out a load that is not used, and repeats one that
 * comes to naught; it does neither when the value was stored.
 */
export class MemoryEffectRegister64 extends MemoryRegister64 {
  protected readonly seen = new BigUint64Array(new ArrayBuffer(8))

  override read(): bigint {
    const value = this.cell[0]
    if (value === undefined) return this.refused()
    this.seen[0] = value
    return value
  }
}
