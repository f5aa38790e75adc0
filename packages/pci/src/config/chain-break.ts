import { isOpenbarError, OpenbarError } from '@openbar/linux/errors'

/** The error for config space that is malformed at an offset. */
export function chainBreak(offset: number, message: string, cause?: unknown): OpenbarError<'ERR_CONFIG_SPACE'> {
  return new OpenbarError('ERR_CONFIG_SPACE', { message, context: { offset }, cause })
}

/**
 * Whether a failed read only means that the chain leads out of what can be seen: past a short dump, or past the bytes
 * that the kernel shows to the unprivileged. All else, such as a removed device, is not the chain's fault.
 */
export function isOutOfSight(error: unknown): error is OpenbarError {
  return isOpenbarError(error, 'ERR_OUT_OF_BOUNDS') || isOpenbarError(error, 'ERR_PERMISSION')
}

/** An offset as messages show it. */
export function at(offset: number): string {
  return `0x${offset.toString(16)}`
}
