import type { RegisterAccess } from '../access/register-access.ts'
import { type LocatedRegister, locateRegisters } from './locate-registers.ts'
import type { AnyRegisterTable } from './register-types.ts'
import { type TraceEvent, type TraceSink, traceEvent } from './trace-event.ts'

/**
 * Puts a tracer before an access: each access goes through as it is, and is then told to `sink`. To switch tracing on and off
 * again, see {@link traceRegisters}.
 *
 * @param table - Names the registers; one table out of several that share the access is enough.
 * @param sink - Called synchronously. What it throws goes to the caller of the access.
 *
 * @example
 * ```ts
 * const traced = traceAccess(bar0, nic, ({ operation, register, value }) => {
 *   console.log(operation, register, value.toString(16))
 * })
 * bindRegisters(nic, traced).CTRL.read() // read CTRL 140240
 * ```
 */
export function traceAccess(access: RegisterAccess, table: AnyRegisterTable, sink: TraceSink): RegisterAccess {
  return new TracedAccess(access, table, sink)
}

class TracedAccess implements RegisterAccess {
  readonly size: number
  readonly #below: RegisterAccess
  readonly #sink: TraceSink
  // Two maps, as some devices have one register to read and another to write at the same offset.
  readonly #readable: ReadonlyMap<number, LocatedRegister>
  readonly #writable: ReadonlyMap<number, LocatedRegister>

  constructor(below: RegisterAccess, table: AnyRegisterTable, sink: TraceSink) {
    this.size = below.size
    this.#below = below
    this.#sink = sink
    const all = locateRegisters(table)
    this.#readable = byOffset(all.filter(({ info }) => info.access !== 'wo'))
    this.#writable = byOffset(all.filter(({ info }) => info.access !== 'ro' && info.access !== 'rc'))
  }

  read8(offset: number): number {
    return this.#read(offset, 8, this.#below.read8(offset))
  }

  read16(offset: number): number {
    return this.#read(offset, 16, this.#below.read16(offset))
  }

  read32(offset: number): number {
    return this.#read(offset, 32, this.#below.read32(offset))
  }

  read64(offset: number): bigint {
    return this.#read(offset, 64, this.#below.read64(offset))
  }

  write8(offset: number, value: number): void {
    this.#below.write8(offset, value)
    this.#wrote(offset, 8, value & 0xff)
  }

  write16(offset: number, value: number): void {
    this.#below.write16(offset, value)
    this.#wrote(offset, 16, value & 0xffff)
  }

  write32(offset: number, value: number): void {
    this.#below.write32(offset, value)
    this.#wrote(offset, 32, value >>> 0)
  }

  write64(offset: number, value: bigint): void {
    this.#below.write64(offset, value)
    this.#wrote(offset, 64, BigInt.asUintN(64, value))
  }

  #read<Value extends number | bigint>(offset: number, width: TraceEvent['width'], value: Value): Value {
    const register = this.#readable.get(offset) ?? this.#writable.get(offset)
    this.#sink(traceEvent('read', offset, width, value, register))
    return value
  }

  #wrote(offset: number, width: TraceEvent['width'], value: number | bigint): void {
    const register = this.#writable.get(offset) ?? this.#readable.get(offset)
    this.#sink(traceEvent('write', offset, width, value, register))
  }
}

function byOffset(registers: readonly LocatedRegister[]): ReadonlyMap<number, LocatedRegister> {
  return new Map(registers.map((register) => [register.offset, register]))
}
