import type { RegisterAccess } from '../access/register-access.ts'
import { type AnyFieldValue, decodeFields } from './decode-fields.ts'
import { locateRegisters } from './locate-registers.ts'
import type { AnyRegisterTable, RegisterInfo } from './register-types.ts'

/** One register's value in a dump. */
export interface RegisterDump {
  /** With the index in an array: `RAL[3]`. */
  readonly name: string
  readonly offset: number
  readonly value: number | bigint
  readonly fields: Readonly<Record<string, AnyFieldValue>>
  readonly info: RegisterInfo
}

/** What {@link dumpRegisters} reads. */
export interface DumpOptions {
  /** Whether to read registers, too, that a read changes (kinds `rc` and `rcw1c`, `readEffect`); `false` when absent. */
  readonly readClearing?: boolean | undefined
}

/**
 * Reads and decodes all registers of a table, in its order. Leaves out those that cannot be read, and those whose
 * reading changes the device unless asked for.
 *
 * @throws What the access throws, such as `ERR_OUT_OF_BOUNDS` for a table that is larger than it.
 *
 * @example
 * ```ts
 * for (const { name, value, fields } of dumpRegisters(nic, bar0)) {
 *   console.log(name, value.toString(16), fields) // CTRL 4000200 { SPEED: '1000M', RST: true }
 * }
 * ```
 */
export function dumpRegisters(
  table: AnyRegisterTable,
  access: RegisterAccess,
  options: DumpOptions = {},
): RegisterDump[] {
  return locateRegisters(table)
    .filter(({ info }) => isShown(info, options))
    .map(({ info, name, offset }) => {
      const value = readWidth(access, offset, info.width)
      // A register's value has the type that its width gives it: readWidth has just seen to that.
      return { name, offset, value, fields: decodeFields(info, value as number), info }
    })
}

function isShown(info: RegisterInfo, options: DumpOptions): boolean {
  if (info.access === 'wo') return false
  return options.readClearing === true || !info.readEffect
}

function readWidth(access: RegisterAccess, offset: number, width: RegisterInfo['width']): number | bigint {
  if (width === 8) return access.read8(offset)
  if (width === 16) return access.read16(offset)
  return width === 32 ? access.read32(offset) : access.read64(offset)
}
