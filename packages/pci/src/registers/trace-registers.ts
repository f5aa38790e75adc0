import { invalidArgument } from '@openbar/linux/errors'
import { type BoundRegisters, bankOf } from './bind-registers.ts'
import type { AnyRegisterTable } from './register-types.ts'
import type { TraceSink } from './trace-event.ts'

/**
 * Tells of each access that is made through bound registers, from now on until what is returned is disposed of. Several tracers
 * may be on at once.
 *
 * Registers that are not traced pay nothing, and neither do those that were: their methods are taken back. Only a call that ran
 * while tracing was on may stay a little slower, for V8 goes on reckoning with both.
 *
 * @param registers - What {@link bindRegisters} made.
 * @param sink - Called synchronously after each access. What it throws goes to the caller of the access.
 * @throws `ERR_INVALID_ARGUMENT` for what was not made by {@link bindRegisters}.
 *
 * @example
 * ```ts
 * using _trace = traceRegisters(regs, ({ operation, register, value, fields }) => {
 *   console.log(operation, register, value.toString(16), fields)
 * })
 * regs.CTRL.set('RST') // read CTRL 140240 { … }, write CTRL 4140240 { … }
 * ```
 */
export function traceRegisters<Table extends AnyRegisterTable>(
  registers: BoundRegisters<Table>,
  sink: TraceSink,
): Disposable {
  const bank = bankOf(registers)
  if (bank === undefined) throw invalidArgument('registers', registers, 'what bindRegisters made')
  if (typeof sink !== 'function') throw invalidArgument('sink', sink, 'a function')
  return bank.trace(sink)
}
