import { closeSync, constants, openSync } from 'node:fs'
import { invalidArgument } from './errors/invalid-argument.ts'
import { syscallError } from './errors/syscall-error.ts'
import { lastErrno, libcCalls } from './ffi/libc.ts'
import { fileError } from './sysfs/file-error.ts'

/** What a file descriptor refers to. VFIO uses the same request numbers for different things on different kinds. */
export type FdKind = 'container' | 'group' | 'device' | 'iommufd' | 'eventfd' | 'file' | 'socket'

const F_SETFD = 2
const FD_CLOEXEC = 1

declare const kind: unique symbol

/** A file descriptor that carries, in its type, what it refers to. */
export type Fd<Kind extends FdKind = FdKind> = number & { readonly [kind]: Kind }

/**
 * Opens a file for reading and writing, close-on-exec.
 *
 * @throws {@link OpenbarError} `ERR_PERMISSION`, or `ERR_SYSCALL` with the errno and the path.
 *
 * @example
 * ```ts
 * const container = openFd<'container'>('/dev/vfio/vfio')
 * ```
 */
export function openFd<Kind extends FdKind>(path: string): Fd<Kind> {
  try {
    return openSync(path, constants.O_RDWR) as Fd<Kind>
  } catch (error) {
    throw fileError('open', path, error)
  }
}

/**
 * Closes a file descriptor.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` when it is closed already (EBADF).
 *
 * @example
 * ```ts
 * closeFd(container)
 * ```
 */
export function closeFd(fd: Fd): void {
  try {
    closeSync(fd)
  } catch (error) {
    throw fileError('close', `file descriptor ${fd}`, error)
  }
}

/**
 * Has a file descriptor that was inherited closed when this process executes another program.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` when it is not open (EBADF).
 * @see fcntl(2), FD_CLOEXEC
 *
 * @example
 * ```ts
 * closeOnExec(asFd<'device'>(3))
 * ```
 */
export function closeOnExec(fd: Fd): void {
  if (libcCalls.fcntl(fd, F_SETFD, FD_CLOEXEC) === 0) return
  throw syscallError('fcntl(F_SETFD)', lastErrno(), `file descriptor ${fd}`)
}

/**
 * Says that a number that came from elsewhere (an ioctl's answer, a parent process) is a file descriptor of a kind.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for anything but a non-negative integer.
 *
 * @example
 * ```ts
 * const device = asFd<'device'>(answer)
 * ```
 */
export function asFd<Kind extends FdKind>(value: number): Fd<Kind> {
  if (Number.isInteger(value) && value >= 0) return value as Fd<Kind>
  throw invalidArgument('a file descriptor', value, 'a non-negative integer')
}
