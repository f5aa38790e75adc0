import type { RegisterAccess } from '../access/register-access.ts'
import type { RegisterMemory } from '../access/register-memory.ts'
import { MemoryEffectRegister8, MemoryRegister8 } from './memory-register-8.ts'
import { MemoryEffectRegister16, MemoryRegister16 } from './memory-register-16.ts'
import { MemoryEffectRegister32, MemoryRegister32 } from './memory-register-32.ts'
import { MemoryEffectRegister64, MemoryRegister64 } from './memory-register-64.ts'
import type { Register } from './register.ts'
import { Register8 } from './register-8.ts'
import { Register16 } from './register-16.ts'
import { Register32 } from './register-32.ts'
import { Register64 } from './register-64.ts'
import { RegisterArray } from './register-array.ts'
import { RegisterBank } from './register-bank.ts'
import type { RegisterDefinition } from './register-definition.ts'
import type { AnyRegisterTable, RegisterInfo } from './register-types.ts'

/** A table's registers, bound to an access: arrays where the table has arrays. */
export type BoundRegisters<Table extends AnyRegisterTable> = {
  readonly [N in keyof Table]: BoundFrom<Table[N]['definition']>
}

type BoundFrom<D extends RegisterDefinition> = D extends { readonly count: number }
  ? RegisterArray<Register<D>>
  : Register<D>

const CLASSES = { 8: Register8, 16: Register16, 32: Register32, 64: Register64 } as const
const MEMORY_CLASSES = { 8: MemoryRegister8, 16: MemoryRegister16, 32: MemoryRegister32, 64: MemoryRegister64 } as const
const MEMORY_EFFECT_CLASSES = {
  8: MemoryEffectRegister8,
  16: MemoryEffectRegister16,
  32: MemoryEffectRegister32,
  64: MemoryEffectRegister64,
} as const

const banks = new WeakMap<object, RegisterBank>()

/**
 * Binds a table's registers to an access: one object per register, made here and never again.
 *
 * Nothing is read or written, and whether the registers are inside the access shows when they are used. Writing a
 * read-only register, reading a write-only one, and read-modify-write of one that clears on a read do not compile.
 *
 * Over memory, such as a mapped BAR, `read` and `write` are one load and one store; over anything else they are the access's
 * methods. {@link traceRegisters} reports every access while it is on, and costs nothing while it is not.
 *
 * @example
 * ```ts
 * const regs = bindRegisters(nic, device.bar(0).map())
 * regs.CTRL.set('RST')
 * regs.CTRL.update({ SPEED: '1000M', FD: true })
 * regs.CTRL.write(regs.CTRL.read() | nic.CTRL.SLU) // hot code: masks are constants
 * regs.STATUS.fields().LU                          // true
 * regs.RAL.at(3).write(0)
 * ```
 */
export function bindRegisters<Table extends AnyRegisterTable>(
  table: Table,
  access: RegisterAccess,
): BoundRegisters<Table> {
  const { memory } = access
  const bank = new RegisterBank()
  const bind = (info: RegisterInfo): unknown => {
    const { name, offset, count } = info
    if (count === undefined) return bindRegister(info, name, offset, access, memory, bank)
    const elements = Array.from({ length: count }, (_, index) =>
      bindRegister(info, `${name}[${index}]`, offset + index * info.stride, access, memory, bank),
    )
    return new RegisterArray(name, elements)
  }
  // Object.fromEntries: V8 turns an object that gets many properties one by one into a hash table.
  const bound = Object.freeze(Object.fromEntries(Object.values(table).map((info) => [info.name, bind(info)])))
  banks.set(bound, bank)
  memory?.whenRevoked(bank)
  return bound as BoundRegisters<Table>
}

/** The bank of what {@link bindRegisters} made. */
export function bankOf(registers: object): RegisterBank | undefined {
  return banks.get(registers)
}

function bindRegister(
  info: RegisterInfo,
  name: string,
  offset: number,
  access: RegisterAccess,
  memory: RegisterMemory | undefined,
  bank: RegisterBank,
): unknown {
  const RegisterClass = CLASSES[info.width]
  // What lies outside goes through the access, which says so.
  if (memory === undefined || offset + info.width / 8 > access.size) {
    const register = new RegisterClass(info, name, offset, access)
    bank.add(register, undefined)
    return register
  }
  const MemoryClass = (info.readEffect ? MEMORY_EFFECT_CLASSES : MEMORY_CLASSES)[info.width]
  const register = new MemoryClass(info, name, offset, access, memory)
  // Whoever holds a register holds its bank, and thereby learns that the memory is gone.
  banks.set(register, bank)
  bank.add(register, RegisterClass.prototype)
  return register
}
