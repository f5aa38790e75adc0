import { inspect } from 'node:util'
import { OpenbarError } from './openbar-error.ts'

/**
 * The error for an argument of the wrong type, sign, size or form.
 *
 * @param argument - The argument's name.
 * @param value - What was given.
 * @param expected - What would have been right, as it reads after "must be".
 *
 * @example
 * ```ts
 * throw invalidArgument('size', -1, 'a positive number of bytes')
 * ```
 */
export function invalidArgument(
  argument: string,
  value: unknown,
  expected: string,
): OpenbarError<'ERR_INVALID_ARGUMENT'> {
  return new OpenbarError('ERR_INVALID_ARGUMENT', {
    message: `${argument} must be ${expected}, not ${inspect(value, { depth: 0, breakLength: Infinity })}.`,
    context: { argument, value },
  })
}
