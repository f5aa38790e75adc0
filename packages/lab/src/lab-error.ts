/** What went wrong, for programs. The message and the hint are for people. */
export type LabErrorCode =
  | 'ERR_LAB_OPTION'
  | 'ERR_LAB_UNSUPPORTED'
  | 'ERR_LAB_MISSING'
  | 'ERR_LAB_NEEDS_ROOT'
  | 'ERR_LAB_APT'
  | 'ERR_LAB_BUILD'
  | 'ERR_LAB_BOOT'
  | 'ERR_LAB_PANIC'
  | 'ERR_LAB_DIED'
  | 'ERR_LAB_TIMEOUT'
  | 'ERR_LAB_ABORTED'
  | 'ERR_LAB_CLOSED'
  | 'ERR_LAB_COMMAND'
  | 'ERR_LAB_FILE'
  | 'ERR_LAB_QMP'

/** What a {@link LabError} carries beside its message. */
export interface LabErrorDetails {
  /** The next step, as a sentence or a command. */
  readonly hint?: string
  /** The end of the guest's console, when a guest was running. */
  readonly console?: string
  /** What was thrown underneath. */
  readonly cause?: unknown
}

/**
 * Every error that the lab raises on purpose.
 *
 * @example
 * ```ts
 * try {
 *   await lab.run(['node', 'test.js'], { timeoutMs: 60_000 })
 * } catch (error) {
 *   if (error instanceof LabError && error.code === 'ERR_LAB_PANIC') console.error(error.console)
 *   throw error
 * }
 * ```
 */
export class LabError extends Error {
  override readonly name = 'LabError'
  /** Stable, for programs. */
  readonly code: LabErrorCode
  /** The next step. */
  readonly hint: string | undefined
  /** The end of the guest's console. */
  readonly console: string | undefined

  constructor(code: LabErrorCode, message: string, details: LabErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.hint = details.hint
    this.console = details.console
  }
}
