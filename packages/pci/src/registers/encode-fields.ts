import { invalidArgument } from '@openbar/linux/errors'
import type { AnyFieldValue } from './decode-fields.ts'
import type { RegisterDefinition } from './register-definition.ts'
import type { FieldInfo, FieldUpdate, RegisterInfo, RegisterValue } from './register-types.ts'

/**
 * Puts a register's value together: the given fields, and all other bits from `base`.
 *
 * @param base - What the value is made from; 0 when absent.
 * @throws `ERR_INVALID_ARGUMENT` naming the field when there is no such field or the value does not fit.
 *
 * @example
 * ```ts
 * encodeFields(nic.CTRL, { SPEED: '1000M', RST: true }) // 0x0400_0200
 * ```
 */
export function encodeFields<D extends RegisterDefinition>(
  register: RegisterInfo<D>,
  fields: FieldUpdate<D>,
  base?: RegisterValue<D>,
): RegisterValue<D> {
  const given = fields as Readonly<Record<string, AnyFieldValue>>
  return (register.width === 64 ? encode64(register, given, base) : encode32(register, given, base)) as RegisterValue<D>
}

function encode32(register: RegisterInfo, fields: Readonly<Record<string, AnyFieldValue>>, base: unknown): number {
  let value = typeof base === 'number' ? base : 0
  for (const name in fields) {
    const field = fieldOf(register, name)
    const width = field.high - field.low + 1
    const raw = rawValue(register, field, fields[name])
    if (!Number.isInteger(raw) || raw < 0 || raw >= 2 ** width) throw unfit(register, field, fields[name])
    value = (value & ~((2 ** width - 1) << field.low)) | (raw << field.low)
  }
  return value >>> 0
}

function encode64(register: RegisterInfo, fields: Readonly<Record<string, AnyFieldValue>>, base: unknown): bigint {
  let value = typeof base === 'bigint' ? base : 0n
  for (const name in fields) {
    const field = fieldOf(register, name)
    const mask = (1n << BigInt(field.high - field.low + 1)) - 1n
    const given = fields[name]
    const raw = typeof given === 'bigint' ? given : toBigInt(rawValue(register, field, given))
    if (raw < 0n || raw > mask) throw unfit(register, field, given)
    value = (value & ~(mask << BigInt(field.low))) | (raw << BigInt(field.low))
  }
  return BigInt.asUintN(64, value)
}

function fieldOf(register: RegisterInfo, name: string): FieldInfo {
  const field = register.fields[name]
  if (field !== undefined) return field
  throw invalidArgument('fields', name, `a field of ${register.name}: ${Object.keys(register.fields).join(', ')}`)
}

/** The number behind what a caller gave; NaN when there is none. */
function rawValue(register: RegisterInfo, field: FieldInfo, given: AnyFieldValue | undefined): number {
  if (typeof given === 'number') return given
  if (typeof given === 'boolean') return given ? 1 : 0
  if (typeof given !== 'string') return Number.NaN
  const value = field.values[given]
  if (value === undefined) throw unfit(register, field, given)
  return value
}

function toBigInt(raw: number): bigint {
  return Number.isSafeInteger(raw) ? BigInt(raw) : -1n
}

function unfit(register: RegisterInfo, field: FieldInfo, given: unknown): Error {
  const names = Object.keys(field.values)
  const limit = 2n ** BigInt(field.high - field.low + 1) - 1n
  const expected = names.length === 0 ? `0 to ${limit}` : `0 to ${limit} or one of ${names.join(', ')}`
  return invalidArgument(`${register.name}.${field.name}`, given, expected)
}
