import { isOpenbarError } from '@openbar/linux/errors'
import type { BindingContext } from './binding-context.ts'
import { isTimeout, withOutcome } from './binding-error.ts'
import type { BindingState } from './binding-state.ts'
import { changeState } from './change-state.ts'

/**
 * Brings a function into a state, or leaves it in the one that it had: when a step fails, those before it are undone,
 * and the error says how that went.
 */
export async function changeOrRollBack(
  context: BindingContext,
  before: BindingState,
  target: BindingState,
): Promise<void> {
  let changed = false
  try {
    await changeState(context, target, () => {
      context.signal?.throwIfAborted()
      changed = true
    })
  } catch (error) {
    // The kernel still works on the step, and any further one would wait for it.
    if (isTimeout(error)) throw withOutcome(error, 'Nothing was undone.')
    if (!changed) throw error
    const failure = await rollBack(context, before)
    if (!isOpenbarError(error)) {
      if (failure === undefined) throw error
      throw new AggregateError([error, failure], `${context.address} could not be given back to ${name(before)}.`)
    }
    if (failure === undefined) throw withOutcome(error, `The device is with ${name(before)}, as before.`)
    const outcome = `It could not be given back to ${name(before)} either: ${failure.message}`
    throw withOutcome(error, outcome, failure)
  }
}

async function rollBack(context: BindingContext, before: BindingState): Promise<Error | undefined> {
  try {
    await changeState(context, before)
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function name(state: BindingState): string {
  return state.driver ?? 'no driver'
}
