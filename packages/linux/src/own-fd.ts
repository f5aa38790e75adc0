import { constants, openSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { syscallError } from './errors/syscall-error.ts'
import { asFd, closeFd, type Fd, type FdKind } from './fd.ts'
import { lastErrno, libcCalls } from './ffi/libc.ts'
import { fileError } from './sysfs/file-error.ts'

const O_CLOEXEC = 0x80000

/**
 * Takes a new file descriptor that a system call of ours has answered with. It is closed on exec.
 *
 * In a worker thread it may get another number: Node closes what a worker has opened by `node:fs` when the thread ends, however
 * that comes about, but knows nothing of other descriptors. So the file moves to a number that Node has opened.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` when the process has no file descriptors left (EMFILE): the new one is closed then.
 * @see dup(2); `trackUnmanagedFds` of Node's Worker
 *
 * @example
 * ```ts
 * const device = ownFd<'device'>(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name, 'group 12'))
 * ```
 */
export function ownFd<Kind extends FdKind>(value: number): Fd<Kind> {
  const fd = asFd<Kind>(value)
  if (isMainThread) return fd
  try {
    return move(fd, placeOfNode<Kind>())
  } finally {
    libcCalls.close(fd)
  }
}

/** As {@link ownFd} for several, of which none stays open when one fails. */
export function ownFds<Kind extends FdKind>(values: readonly number[]): Fd<Kind>[] {
  using failed = new DisposableStack()
  const taken = values.map((value, index) => {
    try {
      return failed.adopt(ownFd<Kind>(value), closeFd)
    } catch (error) {
      for (const rest of values.slice(index + 1)) libcCalls.close(rest)
      throw error
    }
  })
  failed.move()
  return taken
}

/** A number that Node closes when the thread ends. */
function placeOfNode<Kind extends FdKind>(): Fd<Kind> {
  try {
    return openSync('/dev/null', constants.O_RDONLY) as Fd<Kind>
  } catch (error) {
    throw fileError('open', '/dev/null', error)
  }
}

function move<Kind extends FdKind>(from: Fd<Kind>, to: Fd<Kind>): Fd<Kind> {
  if (libcCalls.dup3(from, to, O_CLOEXEC) === to) return to
  const errno = lastErrno()
  closeFd(to)
  throw syscallError('dup3', errno, `file descriptor ${from}`)
}
