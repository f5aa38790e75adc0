import { invalidArgument } from '@openbar/linux/errors'
import type { FieldDefinition, RegisterDefinition } from './register-definition.ts'

/** What each register of a table has besides its fields' masks. */
const RESERVED = [
  'name',
  'offset',
  'width',
  'access',
  'description',
  'count',
  'stride',
  'fields',
  'readEffect',
  'definition',
]
const REGISTER_KEYS = ['offset', 'width', 'access', 'description', 'fields', 'count', 'stride', 'readEffect']
const FIELD_KEYS = ['bit', 'bits', 'description', 'access', 'values']
const KINDS = ['ro', 'wo', 'rw', 'rw1c', 'rw1s', 'rc', 'rcw1c']

/** Refuses definitions that the types cannot: a table is written once and trusted for ever after. */
export function checkRegister(name: string, definition: RegisterDefinition): void {
  const { offset, width = 32, access, count, stride = width / 8, fields = {} } = definition
  checkKeys(name, definition, REGISTER_KEYS)
  check(
    ['undefined', 'boolean'].includes(typeof definition.readEffect),
    `${name}.readEffect`,
    definition.readEffect,
    'a boolean',
  )
  check([8, 16, 32, 64].includes(width), `${name}.width`, width, '8, 16, 32 or 64')
  check(KINDS.includes(access), `${name}.access`, access, `one of ${KINDS.join(', ')}`)
  const multiple = `a multiple of the register's ${width / 8} bytes`
  check(isMultiple(offset, width / 8), `${name}.offset`, offset, multiple)
  check(isMultiple(stride, width / 8) && stride > 0, `${name}.stride`, stride, multiple)
  check(count === undefined || isMultiple(count, 1), `${name}.count`, count, 'a whole number')
  let taken = 0n
  for (const [field, given] of Object.entries(fields)) {
    const mask = checkField(`${name}.${field}`, given, width)
    check(!RESERVED.includes(field), `${name}.${field}`, field, `none of ${RESERVED.join(', ')}`)
    check((taken & mask) === 0n, `${name}.${field}`, given, 'apart from the other fields')
    taken |= mask
  }
}

function checkField(path: string, field: FieldDefinition, width: number): bigint {
  checkKeys(path, field, FIELD_KEYS)
  check((field.bit === undefined) !== (field.bits === undefined), path, field, 'either a bit or bits')
  const [high, low] = field.bits ?? [field.bit, field.bit]
  const fits = isMultiple(high, 1) && isMultiple(low, 1) && low <= high && high < width
  check(fits, path, field.bits ?? field.bit, `inside the register's bits, ${width - 1} to 0, the highest first`)
  const limit = 1n << BigInt(high - low + 1)
  const seen = new Set<number>()
  for (const [name, value] of Object.entries(field.values ?? {})) {
    check(isMultiple(value, 1) && BigInt(value) < limit, `${path}.${name}`, value, `less than ${limit}`)
    check(!seen.has(value), `${path}.${name}`, value, 'a value that has no other name')
    seen.add(value)
  }
  return (limit - 1n) << BigInt(low)
}

/** The compiler cannot find misspelt properties where it infers the definition's type. */
function checkKeys(path: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) check(known.includes(key), `${path}.${key}`, key, `one of ${known.join(', ')}`)
}

function isMultiple(value: number, of: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value % of === 0
}

function check(condition: boolean, argument: string, value: unknown, expected: string): void {
  if (!condition) throw invalidArgument(argument, value, expected)
}
