import { type AnyFieldValue, decodeFields } from './decode-fields.ts'
import type { RegisterInfo } from './register-types.ts'

/** One access to a register, after it happened. */
export interface TraceEvent {
  readonly operation: 'read' | 'write'
  readonly offset: number
  /** Bits of the access. */
  readonly width: 8 | 16 | 32 | 64
  /** What was read or written. */
  readonly value: number | bigint
  /** The register's name, with its index in an array; `undefined` for an offset that the table does not have. */
  readonly register: string | undefined
  /** The value field by field; `undefined` unless the access was of the register's width. */
  readonly fields: Readonly<Record<string, AnyFieldValue>> | undefined
}

/** What a tracer calls, synchronously. What it throws goes to the caller of the access. */
export type TraceSink = (event: TraceEvent) => void

/** Puts together what a sink is told. */
export function traceEvent(
  operation: TraceEvent['operation'],
  offset: number,
  width: TraceEvent['width'],
  value: number | bigint,
  register: { readonly info: RegisterInfo; readonly name: string } | undefined,
): TraceEvent {
  const fits = register !== undefined && register.info.width === width
  // The value is of the type that the width gives it, which is the register's.
  const fields = fits ? decodeFields(register.info, value as number) : undefined
  return { operation, offset, width, value, register: register?.name, fields }
}
