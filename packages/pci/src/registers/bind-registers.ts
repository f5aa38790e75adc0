import type { RegisterAccess } from '../access/register-access.ts'
import type { Register } from './register.ts'
import { Register8 } from './register-8.ts'
import { Register16 } from './register-16.ts'
import { Register32 } from './register-32.ts'
import { Register64 } from './register-64.ts'
import { RegisterArray } from './register-array.ts'
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

/**
 * Binds a table's registers to an access: one object per register, made here and never again.
 *
 * Nothing is read or written, and whether the registers are inside the access shows when they are used. Writing a
 * read-only register, reading a write-only one, and read-modify-write of one that clears on a read do not compile.
 *
 * Tracing is chosen here, too: bind to `traceAccess(access, …)` and every access is reported; bind to the access itself
 * and tracing costs nothing.
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
  // Object.fromEntries: V8 turns an object that gets many properties one by one into a hash table.
  const bound = Object.fromEntries(Object.values(table).map((info) => [info.name, bindRegister(info, access)]))
  return Object.freeze(bound) as BoundRegisters<Table>
}

function bindRegister(info: RegisterInfo, access: RegisterAccess): unknown {
  const RegisterClass = CLASSES[info.width]
  const { name, offset, count } = info
  if (count === undefined) return new RegisterClass(info, name, offset, access)
  const elements = Array.from({ length: count }, (_, index) => {
    return new RegisterClass(info, `${name}[${index}]`, offset + index * info.stride, access)
  })
  return new RegisterArray(name, elements)
}
