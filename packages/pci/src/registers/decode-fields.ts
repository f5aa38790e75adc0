import type { RegisterDefinition } from './register-definition.ts'
import type { FieldInfo, FieldValues, RegisterInfo, RegisterValue } from './register-types.ts'

/** A field's value, of whatever register. */
export type AnyFieldValue = boolean | number | bigint | string

/**
 * Takes a register's value apart.
 *
 * Fields whose values have names give the name, or the number when it has none; one bit gives a boolean; the others
 * give numbers, `bigint` in a 64-bit register.
 *
 * @example
 * ```ts
 * decodeFields(nic.CTRL, 0x0400_0200) // { SPEED: '1000M', RST: true }
 * ```
 */
export function decodeFields<D extends RegisterDefinition>(
  register: RegisterInfo<D>,
  value: RegisterValue<D>,
): FieldValues<D> {
  const decoded: Record<string, AnyFieldValue> = {}
  for (const field of Object.values(register.fields)) decoded[field.name] = decodeField(field, value)
  return decoded as FieldValues<D>
}

function decodeField(field: FieldInfo, value: number | bigint): AnyFieldValue {
  const raw = extract(field, value)
  for (const name in field.values) if (field.values[name] === Number(raw)) return name
  if (field.definition.bit === undefined || hasNames(field)) return raw
  return Number(raw) === 1
}

function hasNames(field: FieldInfo): boolean {
  return field.definition.values !== undefined
}

function extract(field: FieldInfo, value: number | bigint): number | bigint {
  const width = field.high - field.low + 1
  if (typeof value === 'bigint') return BigInt.asUintN(width, value >> BigInt(field.low))
  return ((value >>> field.low) & (2 ** width - 1)) >>> 0
}
