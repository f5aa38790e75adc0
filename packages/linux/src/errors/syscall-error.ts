import { errnoName, errnoText } from './errno.ts'
import { OpenbarError } from './openbar-error.ts'

/**
 * The error for a system call that failed and for which no better explanation is known.
 *
 * @param syscall - What was called, such as `ioctl(VFIO_DEVICE_RESET)`.
 * @param errno - The positive error number.
 * @param target - What it was called on: a path, a device, a range.
 * @param hint - What to do next, when that is known.
 *
 * @example
 * ```ts
 * throw syscallError('mmap', 12, '4096 bytes of anonymous memory')
 * ```
 */
export function syscallError(
  syscall: string,
  errno: number,
  target: string,
  hint?: string,
): OpenbarError<'ERR_SYSCALL'> {
  return new OpenbarError('ERR_SYSCALL', {
    message: `${syscall} on ${target} failed: ${errnoName(errno)}, ${errnoText(errno)}.`,
    hint,
    context: { target },
    errno,
    syscall,
  })
}
