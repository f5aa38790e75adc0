import { invalidArgument, OpenbarError } from '@openbar/linux/errors'
import type { RegisterAccess } from '../access/register-access.ts'
import { type AnyFieldValue, decodeFields } from './decode-fields.ts'
import { encodeFields } from './encode-fields.ts'
import type { RegisterInfo } from './register-types.ts'

type Fields = Readonly<Record<string, AnyFieldValue>>

/** Where values go that were read for the sake of reading: a store cannot be left out, and so neither can the read. */
const sink = new Uint32Array(new ArrayBuffer(4))

/**
 * A register of up to 32 bits. `read` and `write` are in classes for each width, so that they need no decision; what changes
 * fields is here.
 */
export abstract class NumberRegister {
  readonly name: string
  readonly offset: number
  readonly info: RegisterInfo
  protected readonly access: RegisterAccess
  /** Bits that a read-modify-write writes back: not those that a one would clear. */
  readonly #kept: number

  constructor(info: RegisterInfo, name: string, offset: number, access: RegisterAccess) {
    this.name = name
    this.offset = offset
    this.info = info
    this.access = access
    this.#kept = ~writeOneToClearMask(info)
    // Of the object's own, so that a tracer can take their place and give it back without changing the object's shape.
    const { read, write } = this
    this.read = read
    this.write = write
  }

  abstract read(): number
  abstract write(value: number): void

  flush(): void {
    sink[0] = this.read()
  }

  fields(): Fields {
    return decodeFields(this.info, this.#look())
  }

  writeFields(fields: Fields): void {
    this.write(encodeFields(this.info, fields))
  }

  set(field: string | number): void {
    const mask = typeof field === 'number' ? field : this.#mask(field)
    if (this.info.access === 'rw1s') this.write(mask)
    else this.write((this.#current('set') & this.#kept) | mask)
  }

  clear(field: string | number): void {
    const mask = typeof field === 'number' ? field : this.#mask(field)
    if (this.info.access === 'rw1c' || this.info.access === 'rcw1c') this.write(mask)
    else this.write((this.#current('cleared') & this.#kept & ~mask) | (mask & ~this.#kept))
  }

  update(fields: Fields): void {
    this.write(encodeFields(this.info, fields, this.#current('updated') & this.#kept))
  }

  /** Types forbid this already; from JavaScript, a read-modify-write of the wrong kind would do harm in silence. */
  #current(done: string): number {
    if (this.info.access === 'rw') return this.#look()
    throw notReadWrite(this.info, done)
  }

  /** Reads where time does not matter so much, and minds that all ones is what a device that is gone answers. */
  #look(): number {
    const value = this.read()
    if (value === 2 ** this.info.width - 1) this.access.memory?.checkPresence()
    return value
  }

  #mask(field: string): number {
    return Number(fieldMask(this.info, field))
  }
}

/** The mask of a field, from the table's constants. */
export function fieldMask(info: RegisterInfo, field: string): unknown {
  if (info.fields[field] === undefined) {
    throw invalidArgument('field', field, `a field of ${info.name}: ${Object.keys(info.fields).join(', ')}`)
  }
  return (info as unknown as Readonly<Record<string, unknown>>)[field]
}

/** The error for changing fields of a register that does not hold what is written to it. */
export function notReadWrite(info: RegisterInfo, done: string): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `Fields of ${info.name} cannot be ${done} by reading and writing it back: its kind is ${info.access}.`,
    context: { what: `read-modify-write of ${info.name}` },
  })
}

function writeOneToClearMask(info: RegisterInfo): number {
  return Object.values(info.fields)
    .filter((field) => field.access === 'rw1c')
    .reduce((mask, field) => mask | Number(fieldMask(info, field.name)), 0)
}
