import { Errno } from '../errors/errno.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'

/** What the refusal of a connection means. */
export function connectError(path: string, errno: number): OpenbarError {
  if (errno === Errno.EACCES || errno === Errno.EPERM) return permissionError('connect', path, errno)
  const nobody = errno === Errno.ENOENT || errno === Errno.ECONNREFUSED
  return syscallError(
    'connect',
    errno,
    path,
    nobody ? 'Nobody listens there: start the other program first.' : undefined,
  )
}

/** What the refusal of a name for a socket means. */
export function bindError(path: string, errno: number): OpenbarError {
  if (errno === Errno.EACCES || errno === Errno.EPERM) return permissionError('bind', path, errno)
  const taken = errno === Errno.EADDRINUSE
  const hint = taken ? 'Another program listens there, or one that ended left it behind: remove it then.' : undefined
  return syscallError('bind', errno, path, hint)
}

function permissionError(syscall: string, target: string, errno: number): OpenbarError<'ERR_PERMISSION'> {
  return new OpenbarError('ERR_PERMISSION', {
    message: `This process may not ${syscall} the socket ${target}.`,
    hint: 'Give its user access to the socket and to the folders on the way there.',
    context: { target },
    errno,
    syscall,
  })
}
