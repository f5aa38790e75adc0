import { syscallError } from '../errors/syscall-error.ts'
import type { Fd } from '../fd.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { ownFd, ownFds } from '../own-fd.ts'

const AF_UNIX = 1
const SOCK_SEQPACKET = 5
export const SOCK_NONBLOCK = 0x800
export const SOCK_CLOEXEC = 0x80000
const TYPE = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC

/** A new Unix socket that keeps the bounds of messages, does not block, and is closed when another program is executed. */
export function newSocket(): Fd<'socket'> {
  const fd = libcCalls.socket(AF_UNIX, TYPE, 0)
  if (fd === -1) throw syscallError('socket', lastErrno(), 'a new Unix socket')
  return ownFd(fd)
}

/** Two such sockets that are connected to each other. */
export function newSocketPair(): [Fd<'socket'>, Fd<'socket'>] {
  const pair = new Int32Array(2)
  if (libcCalls.socketpair(AF_UNIX, TYPE, 0, pair) === -1) {
    throw syscallError('socketpair', lastErrno(), 'two new Unix sockets')
  }
  const [one, other] = ownFds<'socket'>([...pair])
  return [one!, other!]
}
