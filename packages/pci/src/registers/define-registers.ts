import { invalidArgument } from '@openbar/linux/errors'
import { checkRegister } from './check-definition.ts'
import type { FieldDefinition, RegisterDefinition, RegisterDefinitions } from './register-definition.ts'
import type { FieldInfo, RegisterConstants, RegisterInfo, RegisterTable } from './register-types.ts'

/**
 * Makes a table of registers, from which accessors, constants, dumps, traces and documentation come.
 *
 * The table has one property per register, which has a mask per field and its shift as `…_SHIFT`: constants for hot
 * code.
 *
 * @throws `ERR_INVALID_ARGUMENT` naming the register or field when an offset is not a multiple of the width, fields
 * overlap or leave the register, a value does not fit its field, or a field's name is one that the table needs itself.
 *
 * @example
 * ```ts
 * const nic = defineRegisters({
 *   CTRL: {
 *     offset: 0x0000,
 *     access: 'rw',
 *     description: 'Device Control',
 *     fields: {
 *       SPEED: { bits: [9, 8], description: 'Speed', values: { '10M': 0, '100M': 1, '1000M': 2 } },
 *       RST: { bit: 26, description: 'Device reset' },
 *     },
 *   },
 *   MTA: { offset: 0x5200, count: 128, access: 'rw', description: 'Multicast Table Array' },
 * })
 * nic.CTRL.RST         // 0x04000000
 * nic.CTRL.SPEED       // 0x00000300
 * nic.CTRL.SPEED_SHIFT // 8
 * nic.CTRL.offset      // 0
 * ```
 */
export function defineRegisters<const T extends RegisterDefinitions>(definitions: T): RegisterTable<T> {
  // Object.fromEntries, here and below: V8 turns an object that gets many properties one by one into a hash table.
  const table = Object.fromEntries(
    Object.entries(definitions).map(([name, definition]) => [name, describeRegister(name, definition)]),
  )
  // The properties are made from T's own: no type can follow that.
  return Object.freeze(table) as unknown as RegisterTable<T>
}

function describeRegister(name: string, definition: RegisterDefinition): RegisterConstants<RegisterDefinition> {
  checkRegister(name, definition)
  const width = definition.width ?? 32
  const fields = Object.entries(definition.fields ?? {}).map(([field, given]) => describeField(field, given))
  const info: RegisterInfo = {
    name,
    offset: definition.offset,
    width,
    access: definition.access,
    description: definition.description,
    readEffect: definition.readEffect ?? (definition.access === 'rc' || definition.access === 'rcw1c'),
    count: definition.count,
    stride: definition.stride ?? width / 8,
    fields: Object.freeze(Object.fromEntries(fields.map((field) => [field.name, field]))),
    definition,
  }
  const constants = new Map<string, unknown>(Object.entries(info))
  for (const field of fields) {
    const mask = ((1n << BigInt(field.high - field.low + 1)) - 1n) << BigInt(field.low)
    constants.set(field.name, width === 64 ? mask : Number(mask))
  }
  for (const field of fields) {
    const shift = `${field.name}_SHIFT`
    if (constants.has(shift))
      throw invalidArgument(`${name}.${shift}`, shift, `a name that is not ${field.name}'s shift`)
    constants.set(shift, width === 64 ? BigInt(field.low) : field.low)
  }
  return Object.freeze(Object.fromEntries(constants)) as unknown as RegisterConstants<RegisterDefinition>
}

function describeField(name: string, definition: FieldDefinition): FieldInfo {
  const [high, low] = definition.bits ?? [definition.bit, definition.bit]
  const { description, access = 'rw', values = {} } = definition
  return Object.freeze({ name, description, access, high, low, values, definition })
}
