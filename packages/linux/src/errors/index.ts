/** Errors, without anything that needs Linux: `@openbar/linux/errors`. */
export { Errno, errnoName, errnoOf, errnoText } from './errno.ts'
export type { Culprit, ErrorCode, ErrorContexts, Holder, InclusiveRange } from './error-contexts.ts'
export { invalidArgument } from './invalid-argument.ts'
export { isOpenbarError } from './is-openbar-error.ts'
export { OpenbarError, type OpenbarErrorOptions } from './openbar-error.ts'
export { syscallError } from './syscall-error.ts'
