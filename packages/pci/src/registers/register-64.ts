import type { RegisterAccess } from '../access/register-access.ts'
import { type AnyFieldValue, decodeFields } from './decode-fields.ts'
import { encodeFields } from './encode-fields.ts'
import { fieldMask, notReadWrite } from './number-register.ts'
import type { RegisterDefinition } from './register-definition.ts'
import type { RegisterInfo } from './register-types.ts'

type Fields = Readonly<Record<string, AnyFieldValue>>
type Info = RegisterInfo<RegisterDefinition & { readonly width: 64 }>

/** A register of 64 bits. Each access makes a `bigint`: hot code does better with two registers of 32 bits. */
export class Register64 {
  readonly name: string
  readonly offset: number
  readonly info: Info
  readonly #access: RegisterAccess
  readonly #kept: bigint

  constructor(info: RegisterInfo, name: string, offset: number, access: RegisterAccess) {
    this.name = name
    this.offset = offset
    this.info = info as Info
    this.#access = access
    this.#kept = Object.values(info.fields)
      .filter((field) => field.access === 'rw1c')
      .reduce((kept, field) => kept & ~this.#mask(field.name), -1n)
  }

  read(): bigint {
    return this.#access.read64(this.offset)
  }

  write(value: bigint): void {
    this.#access.write64(this.offset, value)
  }

  fields(): Fields {
    return decodeFields(this.info, this.read())
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
    if (this.info.access === 'rw') return this.read()
    throw notReadWrite(this.info, done)
  }

  #mask(field: string): bigint {
    const mask = fieldMask(this.info, field)
    return typeof mask === 'bigint' ? mask : 0n
  }
}
