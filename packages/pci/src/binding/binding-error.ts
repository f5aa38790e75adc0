import { Errno, errnoName, errnoOf, isOpenbarError, OpenbarError } from '@openbar/linux/errors'
import type { BindingContext } from './binding-context.ts'

/** What a step of binding is called in errors. */
export type BindingStep =
  | 'find driver'
  | 'read driver_override'
  | 'set driver_override'
  | 'unbind'
  | 'probe'
  | 'restore driver_override'
  | 'restore'

/** What is known about a step that failed. */
export interface BindingFailure {
  readonly step: BindingStep
  /** The driver that the step is about. */
  readonly driver: string | undefined
  /** What happened, as it reads after "Binding … failed at …:". */
  readonly what: string
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** The error for a step that failed. */
export function bindingError(context: BindingContext, failure: BindingFailure): OpenbarError<'ERR_DRIVER_BINDING'> {
  const { step, driver, what, hint, cause } = failure
  const address = context.address.toString()
  return new OpenbarError('ERR_DRIVER_BINDING', {
    message: `Changing the driver of ${address} failed at '${step}': ${what}`,
    hint,
    context: { address, driver, step },
    errno: errnoOf(cause),
    syscall: cause instanceof Error && 'syscall' in cause ? String(cause.syscall) : undefined,
    cause,
  })
}

/** The same error with more to say, for what a rollback did. */
export function withOutcome(error: OpenbarError, outcome: string, failedRollback?: unknown): OpenbarError {
  const causes = failedRollback === undefined ? error.cause : new AggregateError([error.cause ?? error, failedRollback])
  return new OpenbarError(error.code, {
    message: `${stripHint(error)} ${outcome}`,
    hint: error.hint,
    context: error.context,
    errno: error.errno,
    syscall: error.syscall,
    cause: causes,
  })
}

/** What went wrong with reading or writing an attribute, and what to do about it. */
export function explainErrno(cause: unknown, step: BindingStep): { what: string; hint?: string } {
  const errno = errnoOf(cause)
  if (errno === undefined) return { what: `${cause instanceof Error ? cause.message : String(cause)}.` }
  if (errno === Errno.EACCES || errno === Errno.EPERM || errno === Errno.EROFS) {
    return { what: `this process may not (${errnoName(errno)}).`, hint: 'Run it as root, where sysfs is writable.' }
  }
  if (errno === Errno.ENOENT) {
    const what = 'there is no such attribute (ENOENT).'
    return step === 'unbind' ? { what, hint: 'The driver does not allow its devices to be unbound.' } : { what }
  }
  return { what: `the kernel answered ${errnoName(errno)}.`, hint: 'The kernel log may say why: dmesg | tail' }
}

/** Whether a step is still going on in the kernel, so that nothing else can be done to the function. */
export function isTimeout(error: unknown): error is OpenbarError<'ERR_TIMEOUT'> {
  return isOpenbarError(error, 'ERR_TIMEOUT')
}

function stripHint(error: OpenbarError): string {
  return error.hint === undefined ? error.message : error.message.slice(0, -error.hint.length - 1)
}
