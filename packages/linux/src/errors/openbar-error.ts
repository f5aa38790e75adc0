import type { ErrorCode, ErrorContexts } from './error-contexts.ts'

/** What an {@link OpenbarError} is made of. */
export interface OpenbarErrorOptions<Code extends ErrorCode> {
  /** What happened, naming the culprit; a sentence with its full stop. */
  readonly message: string
  /** What to do next; one or more sentences. */
  readonly hint?: string | undefined
  readonly context: ErrorContexts[Code]
  /** The system's error number, positive, when a system call failed. */
  readonly errno?: number | undefined
  /** The system call that failed. */
  readonly syscall?: string | undefined
  readonly cause?: unknown
}

/**
 * The one error class of Openbar.
 *
 * `message` names the culprit and ends with the next step; `code` is stable and decides the type of `context`.
 * Where a system call failed, `errno` and `syscall` are set as in Node's own system errors.
 *
 * @example
 * ```ts
 * try {
 *   await Device.open('0000:00:02.0')
 * } catch (error) {
 *   if (isOpenbarError(error, 'ERR_GROUP_NOT_VIABLE')) console.log(error.context.culprits)
 *   else throw error
 * }
 * ```
 */
export class OpenbarError<Code extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'OpenbarError'
  readonly code: Code
  readonly context: ErrorContexts[Code]
  readonly hint: string | undefined
  declare readonly errno?: number
  declare readonly syscall?: string

  constructor(code: Code, options: OpenbarErrorOptions<Code>) {
    const text = options.hint === undefined ? options.message : `${options.message} ${options.hint}`
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.context = options.context
    this.hint = options.hint
    if (options.errno !== undefined) this.errno = options.errno
    if (options.syscall !== undefined) this.syscall = options.syscall
  }
}
