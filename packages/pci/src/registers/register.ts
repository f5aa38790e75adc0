import type { RegisterDefinition } from './register-definition.ts'
import type {
  FieldName,
  FieldNameExcept,
  FieldUpdate,
  FieldValues,
  RegisterInfo,
  RegisterValue,
} from './register-types.ts'

/** What every bound register tells. */
export interface BoundRegister<D extends RegisterDefinition> {
  /** The register's name, with its index in an array: `RAL[3]`. */
  readonly name: string
  /** Byte offset, with the index in an array counted in. */
  readonly offset: number
  /** The register of the table. */
  readonly info: RegisterInfo<D>
}

/** A register that can be read. */
export interface ReadableRegister<D extends RegisterDefinition> extends BoundRegister<D> {
  /**
   * Reads the register: one access of its width. In optimised code, a read whose result is not used may be left out, unless the
   * table says that reading has an effect (kinds `rc` and `rcw1c`, or `readEffect`).
   */
  read(): RegisterValue<D>
  /**
   * Reads the register and forgets the value, and is never left out: all writes before it have reached the device then.
   *
   * @see PCI Local Bus 3.0, 3.2.5 (posted writes)
   */
  flush(): void
  /** Reads the register and takes the value apart. This makes an object: not for hot code. */
  fields(): FieldValues<D>
}

/** A register that can be written. */
export interface WritableRegister<D extends RegisterDefinition> extends BoundRegister<D> {
  /** Writes the register: one access of its width, of which the value's low bits are taken. */
  write(value: RegisterValue<D>): void
  /**
   * Writes the register with the given fields, and zeros for all others. Does not read.
   *
   * @throws `ERR_INVALID_ARGUMENT` when a value does not fit its field.
   */
  writeFields(fields: FieldUpdate<D>): void
}

/** A register that holds what is written to it: kind `rw`. */
export interface ReadWriteRegister<D extends RegisterDefinition> extends ReadableRegister<D>, WritableRegister<D> {
  /** Reads, sets all bits of a field, or of a mask such as `table.CTRL.SLU | table.CTRL.FD`, and writes. */
  set(field: FieldNameExcept<D, 'ro' | 'rw1c'> | RegisterValue<D>): void
  /** Reads, clears all bits of a field or a mask, and writes. A field of kind `rw1c` is cleared as it has to be. */
  clear(field: FieldNameExcept<D, 'ro'> | RegisterValue<D>): void
  /**
   * Reads, changes the given fields, and writes.
   *
   * @throws `ERR_INVALID_ARGUMENT` when a value does not fit its field.
   */
  update(fields: FieldUpdate<D>): void
}

/** A register whose bits are cleared by writing ones: kinds `rw1c` and `rcw1c`. */
export interface WriteOneToClearRegister<D extends RegisterDefinition>
  extends ReadableRegister<D>,
    WritableRegister<D> {
  /** Clears a field or a mask, by writing ones there and zeros elsewhere. Does not read. */
  clear(field: FieldName<D> | RegisterValue<D>): void
}

/** A register whose bits are set by writing ones: kind `rw1s`. */
export interface WriteOneToSetRegister<D extends RegisterDefinition> extends ReadableRegister<D>, WritableRegister<D> {
  /** Sets a field or a mask, by writing ones there and zeros elsewhere. Does not read. */
  set(field: FieldName<D> | RegisterValue<D>): void
}

interface RegistersByKind<D extends RegisterDefinition> {
  ro: ReadableRegister<D>
  wo: WritableRegister<D>
  rw: ReadWriteRegister<D>
  rw1c: WriteOneToClearRegister<D>
  rw1s: WriteOneToSetRegister<D>
  rc: ReadableRegister<D>
  rcw1c: WriteOneToClearRegister<D>
}

/** A bound register, with the methods that its kind allows. */
export type Register<D extends RegisterDefinition> = RegistersByKind<D>[D['access']]
