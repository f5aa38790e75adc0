/** Bits of a register: 8, 16, 32 or 64. */
export type RegisterWidth = 8 | 16 | 32 | 64

/**
 * What reading and writing a register does:
 *
 * | kind | read | write |
 * |---|---|---|
 * | `ro` | the value | not possible |
 * | `wo` | not possible | the value |
 * | `rw` | the value | the value |
 * | `rw1c` | the value | ones clear their bits, zeros do nothing |
 * | `rw1s` | the value | ones set their bits, zeros do nothing |
 * | `rc` | the value, **which it clears** | not possible |
 * | `rcw1c` | the value, **which it clears** | ones clear their bits |
 */
export type RegisterKind = 'ro' | 'wo' | 'rw' | 'rw1c' | 'rw1s' | 'rc' | 'rcw1c'

/**
 * What writing a field of an `rw` register does: `rw` takes the value; `ro` is not changed; `rw1c` is cleared by ones,
 * so that read-modify-write writes zeros to it.
 */
export type FieldKind = 'rw' | 'ro' | 'rw1c'

interface FieldCommon {
  /** What the field is, for documentation and dumps. */
  readonly description: string
  /** `rw` when absent. */
  readonly access?: FieldKind
  /** Names for values. */
  readonly values?: Readonly<Record<string, number>>
}

/** A field of one bit, numbered from 0. */
export interface BitDefinition extends FieldCommon {
  readonly bit: number
  readonly bits?: never
}

/** A field of several bits, written as datasheets write `9:8`: the highest bit, then the lowest. */
export interface BitsDefinition extends FieldCommon {
  readonly bits: readonly [high: number, low: number]
  readonly bit?: never
}

/** A field of a register. */
export type FieldDefinition = BitDefinition | BitsDefinition

/** A register, or an array of equal ones. */
export interface RegisterDefinition {
  /** Bytes from the start of the access, a multiple of the register's width. */
  readonly offset: number
  /** Bits; 32 when absent. */
  readonly width?: RegisterWidth
  readonly access: RegisterKind
  /**
   * Whether reading it changes the device, as taking the next word out of a FIFO does: such a read is never left out, and a dump
   * leaves the register out. `true` of the kinds `rc` and `rcw1c`, `false` of the others when absent.
   */
  readonly readEffect?: boolean
  /** What the register is, for documentation and dumps; best with the datasheet's section. */
  readonly description: string
  readonly fields?: Readonly<Record<string, FieldDefinition>>
  /** How many there are, which makes it an array. */
  readonly count?: number
  /** Bytes from one to the next of an array; the register's width when absent. */
  readonly stride?: number
}

/** Registers by name. */
export type RegisterDefinitions = Readonly<Record<string, RegisterDefinition>>
