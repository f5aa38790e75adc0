import { Errno } from './errors/errno.ts'
import { syscallError } from './errors/syscall-error.ts'
import type { Fd } from './fd.ts'
import { lastErrno, libcCalls } from './ffi/libc.ts'

/**
 * Reads from a file descriptor at an offset, in one system call, filling the buffer.
 *
 * A device's region answers an access of 1, 2, 4 or 8 bytes with one access of that width.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` with the errno; a short read counts as EIO.
 *
 * @example
 * ```ts
 * preadExactly(device, buffer, configOffset, '0000:00:02.0 config space')
 * ```
 */
export function preadExactly(fd: Fd, buffer: ArrayBufferView, offset: number, target: string): void {
  const count = libcCalls.pread(fd, buffer, buffer.byteLength, offset)
  if (count !== buffer.byteLength) throw syscallError('pread', count === -1 ? lastErrno() : Errno.EIO, target)
}

/**
 * Writes a whole buffer at an offset, in one system call.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` with the errno; a short write counts as EIO.
 *
 * @example
 * ```ts
 * pwriteExactly(device, buffer, configOffset + 4, '0000:00:02.0 config space')
 * ```
 */
export function pwriteExactly(fd: Fd, buffer: ArrayBufferView, offset: number, target: string): void {
  const count = libcCalls.pwrite(fd, buffer, buffer.byteLength, offset)
  if (count !== buffer.byteLength) throw syscallError('pwrite', count === -1 ? lastErrno() : Errno.EIO, target)
}
