import type { FieldDefinition, RegisterDefinition, RegisterWidth } from './register-definition.ts'

/** What a register holds: `bigint` when it has 64 bits, else `number`. */
export type RegisterValue<D extends RegisterDefinition> = D extends { readonly width: 64 } ? bigint : number

type FieldsOf<D extends RegisterDefinition> = D extends { readonly fields: infer F } ? F : Record<never, never>

/** The names of a register's fields. */
export type FieldName<D extends RegisterDefinition> = keyof FieldsOf<D> & string

/** The names of those fields whose kind is not one of `Kind`. */
export type FieldNameExcept<D extends RegisterDefinition, Kind extends string> = {
  [N in FieldName<D>]: FieldsOf<D>[N] extends { readonly access: Kind } ? never : N
}[FieldName<D>]

/**
 * What a field's value looks like: a name when values have names (else the number), a boolean for one bit, a number for
 * more.
 */
type FieldValue<F, Value> = F extends { readonly values: infer Names }
  ? (keyof Names & string) | Value
  : F extends { readonly bit: number }
    ? boolean
    : Value

/** A register's value, field by field. */
export type FieldValues<D extends RegisterDefinition> = {
  readonly [N in FieldName<D>]: FieldValue<FieldsOf<D>[N], RegisterValue<D>>
}

/** New values for some of a register's fields. */
export type FieldUpdate<D extends RegisterDefinition> = {
  readonly [N in FieldNameExcept<D, 'ro'>]?: FieldValue<FieldsOf<D>[N], RegisterValue<D>>
}

/** A field, as tables carry it. */
export interface FieldInfo {
  readonly name: string
  readonly description: string
  readonly access: 'rw' | 'ro' | 'rw1c'
  /** The highest and the lowest bit. */
  readonly high: number
  readonly low: number
  /** Names of values; empty when they have none. */
  readonly values: Readonly<Record<string, number>>
  readonly definition: FieldDefinition
}

/** A register, as tables carry it: for documentation, traces and dumps. */
export interface RegisterInfo<D extends RegisterDefinition = RegisterDefinition> {
  readonly name: string
  readonly offset: number
  /** Bits. */
  readonly width: RegisterWidth
  readonly access: D['access']
  readonly description: string
  /** Whether reading it changes the device. */
  readonly readEffect: boolean
  /** How many there are; `undefined` unless it is an array. */
  readonly count: D extends { readonly count: number } ? number : number | undefined
  /** Bytes from one to the next of an array. */
  readonly stride: number
  readonly fields: Readonly<Record<string, FieldInfo>> & { readonly [N in FieldName<D>]: FieldInfo }
  /** As given to `defineRegisters`; carries the types. */
  readonly definition: D
}

/** A register's field masks, `CTRL.RST`, and shifts, `CTRL.SPEED_SHIFT`. */
export type FieldConstants<D extends RegisterDefinition> = {
  readonly [N in FieldName<D>]: RegisterValue<D>
} & {
  readonly [N in FieldName<D> as `${N}_SHIFT`]: RegisterValue<D>
}

/** A register of a table: what it is, and its fields' masks and shifts. */
export type RegisterConstants<D extends RegisterDefinition> = RegisterInfo<D> & FieldConstants<D>

/** What `defineRegisters` makes. */
export type RegisterTable<T extends Readonly<Record<string, RegisterDefinition>>> = {
  readonly [N in keyof T & string]: RegisterConstants<T[N]>
}

/** Any table, for code that does not know its registers. */
export type AnyRegisterTable = Readonly<Record<string, RegisterInfo>>
