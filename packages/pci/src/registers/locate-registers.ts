import type { AnyRegisterTable, RegisterInfo } from './register-types.ts'

/** One register of a table, arrays taken apart. */
export interface LocatedRegister {
  readonly info: RegisterInfo
  /** With the index in an array: `RAL[3]`. */
  readonly name: string
  readonly offset: number
}

/** Every single register of a table, in the table's order. */
export function locateRegisters(table: AnyRegisterTable): LocatedRegister[] {
  return Object.values(table).flatMap((info) => {
    const { name, offset, stride, count } = info
    if (count === undefined) return [{ info, name, offset }]
    return Array.from({ length: count }, (_, index) => {
      return { info, name: `${name}[${index}]`, offset: offset + index * stride }
    })
  })
}
