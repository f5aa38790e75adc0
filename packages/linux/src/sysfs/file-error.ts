import { Errno, errnoOf } from '../errors/errno.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'

/**
 * Turns what Node's file functions threw into an Openbar error that names the path.
 *
 * @param syscall - What was tried, such as `open`.
 * @returns `ERR_PERMISSION` for EACCES and EPERM, `ERR_SYSCALL` for any other errno; the error itself when it has none.
 *
 * @example
 * ```ts
 * try { readFileSync(path) } catch (error) { throw fileError('read', path, error) }
 * ```
 */
export function fileError(syscall: string, path: string, error: unknown): Error {
  const errno = errnoOf(error)
  if (errno === undefined) return error instanceof Error ? error : new Error(String(error))
  if (errno === Errno.EACCES || errno === Errno.EPERM) {
    return new OpenbarError('ERR_PERMISSION', {
      message: `This process may not ${syscall} ${path}.`,
      hint: 'Run it as root, or give its user access to the file.',
      context: { target: path },
      errno,
      syscall,
      cause: error,
    })
  }
  return syscallError(syscall, errno, path)
}
