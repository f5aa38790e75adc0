import type { ErrorCode } from './error-contexts.ts'
import { OpenbarError } from './openbar-error.ts'

/**
 * Tells whether something caught is an {@link OpenbarError}, and of the given code when one is given.
 *
 * @example
 * ```ts
 * if (isOpenbarError(error, 'ERR_TIMEOUT')) console.log(error.context.waitedFor)
 * ```
 */
export function isOpenbarError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is OpenbarError<Code> {
  return error instanceof OpenbarError && (code === undefined || error.code === code)
}
