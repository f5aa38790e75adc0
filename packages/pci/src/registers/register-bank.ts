import type { RevocationListener } from '../access/register-memory.ts'
import type { RegisterInfo } from './register-types.ts'
import { type TraceEvent, type TraceSink, traceEvent } from './trace-event.ts'

/** A bound register of any width, as the bank switches it. */
interface Switchable {
  readonly name: string
  readonly offset: number
  readonly info: RegisterInfo
  read(): number | bigint
  write(value: number | bigint): void
}

/** What is called in a register's place. */
interface Methods {
  read(): number | bigint
  write(value: number | bigint): void
}

/**
 * The registers of one binding, which can be switched: to tell tracers of each access, and to refuse all when their memory was
 * taken away.
 *
 * A register is switched by putting other methods into it. Thus its usual methods have nothing to decide, and what V8 has
 * learned about them, and about every call that was not made meanwhile, stays true.
 */
export class RegisterBank implements RevocationListener {
  readonly #registers: Switchable[] = []
  readonly #sinks = new Set<{ readonly sink: TraceSink }>()
  /** For registers in memory, the methods that go through the access, which says why it refuses. */
  readonly #refusing = new Map<Switchable, Methods>()
  #revoked = false

  /** @param checked - Methods that go through the access; `undefined` for a register whose own do. */
  add(register: Switchable, checked: Methods | undefined): void {
    this.#registers.push(register)
    if (checked !== undefined) this.#refusing.set(register, checked)
  }

  /** Tells a sink of each access, until what is returned is disposed of. */
  trace(sink: TraceSink): Disposable {
    const entry = { sink }
    this.#sinks.add(entry)
    this.#switch()
    return {
      [Symbol.dispose]: () => {
        if (this.#sinks.delete(entry)) this.#switch()
      },
    }
  }

  revoked(): void {
    this.#revoked = true
    this.#switch()
  }

  #switch(): void {
    for (const register of this.#registers) {
      const { read, write } = this.#methodsFor(register)
      register.read = read
      register.write = write
    }
  }

  #methodsFor(register: Switchable): Methods {
    const refusing = this.#revoked ? this.#refusing.get(register) : undefined
    const untraced: Methods = refusing ?? Object.getPrototypeOf(register)
    if (this.#sinks.size === 0) return untraced
    const { read, write } = untraced
    const tell = (operation: TraceEvent['operation'], value: number | bigint) => {
      const event = traceEvent(operation, register.offset, register.info.width, value, register)
      for (const { sink } of this.#sinks) sink(event)
    }
    return {
      read: () => {
        const value = read.call(register)
        tell('read', value)
        return value
      },
      write: (value) => {
        write.call(register, value)
        tell('write', asUnsigned(value, register.info.width))
      },
    }
  }
}

/** What a register of that width makes of the value. */
function asUnsigned(value: number | bigint, width: number): number | bigint {
  if (typeof value === 'bigint') return BigInt.asUintN(width, value)
  return width === 32 ? value >>> 0 : value & (2 ** width - 1)
}
