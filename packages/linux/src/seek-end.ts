import { syscallError } from './errors/syscall-error.ts'
import type { Fd } from './fd.ts'
import { lastErrno, libcCalls } from './ffi/libc.ts'

const SEEK_END = 2

/**
 * Goes to the end of a file: the next read returns what comes after this call. Node.js has no such function.
 *
 * @param target - What the file is, as it should read in an error.
 * @throws {@link OpenbarError} `ERR_SYSCALL` with the errno.
 * @see lseek(2)
 *
 * @example
 * ```ts
 * seekEnd(log, '/dev/kmsg')
 * ```
 */
export function seekEnd(fd: Fd, target: string): void {
  if (libcCalls.lseek(fd, 0, SEEK_END) === -1) throw syscallError('lseek', lastErrno(), target)
}
