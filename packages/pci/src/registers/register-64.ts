import type { RegisterAccess } from '../access/register-access.ts'
import { type AnyFieldValue, decodeFields } from './decode-fields.ts'
import { encodeFields } from './encode-fields.ts'
import { fieldMask, notReadWrite } from './number-register.ts'
import type { RegisterDefinition } from './register-definition.ts'
import type { RegisterInfo } from './register-types.ts'

type Fields = Readonly<Record<string, AnyFieldValue>>
type Info = RegisterInfo<RegisterDefinition & { readonly width: 64 }>

/** Where values go that were read for the sake of reading: a store cannot be left out, and so neither can the read. */
const sink = new BigUint64Array(new ArrayBuffer(8))
const ALL_ONES = 0xffff_ffff_ffff_ffffn

/** A register of 64 bits. Each access makes a `bigint`: hot code does better with two registers of 32 bits. */
export class Register64 {
  readonly name: string
  readonly offset: number
  readonly info: Info
  protected readonly access: RegisterAccess
  readonly #kept: bigint

  constructor(info: RegisterInfo, name: string, offset: number, access: RegisterAccess) {
    this.name = name
    this.offset = offset
    this.info = info as Info
    this.access = access
    this.#kept = Object.values(info.fields)
      .filter((field) => field.access === 'rw1c')
      .reduce((kept, field) => kept & ~this.#mask(field.name), -1n)
    // Of the object's own, so that a tracer can take their place and give it back without changing the object's shape.
    const { read, write } = this
    this.read = read
    this.write = write
  }

  read(): bigint {
    return this.access.read64(this.offset)
  }

  write(value: bigint): void {
    this.access.write64(this.offset, value)
  }

  flush(): void {
    sink[0] = this.read()
  }

  fields(): Fields {
    return decodeFields(this.info, this.#look())
  }

  writeFields(fields: Fields): void {
    this.write(encodeFields(this.info, fields))
  }

  set(field: string | bigint): void {
    const mask = typeof field === 'bigint' ? field : this.#mask(field)
    if (this.info.access === 'rw1s') this.write(mask)
    else this.write((this.#current('set') & this.#kept) | mask)
  }

  clear(field: string | bigint): void {
    const mask = typeof field === 'bigint' ? field : this.#mask(field)
    if (this.info.access === 'rw1c' || this.info.access === 'rcw1c') this.write(mask)
    else this.write((this.#current('cleared') & this.#kept & ~mask) | (mask & ~this.#kept))
  }

  update(fields: Fields): void {
    this.write(encodeFields(this.info, fields, this.#current('updated') & this.#kept))
  }

  #current(done: string): bigint {
    if (this.info.access === 'rw') return this.#look()
    throw notReadWrite(this.info, done)
  }

  /** Reads where time does not matter so much, and minds that all ones is what a device that is gone answers. */
  #look(): bigint {
    const value = this.read()
    if (value === ALL_ONES) this.access.memory?.checkPresence()
    return value
  }

  #mask(field: string): bigint {
    const mask = fieldMask(this.info, field)
    return typeof mask === 'bigint' ? mask : 0n
  }
}
