import { syscallError } from '../errors/syscall-error.ts'
import type { Fd } from '../fd.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'

const SOL_SOCKET = 1
const SO_PEERCRED = 17

/** Who stands at the other end of a Unix socket, as the kernel says. */
export interface PeerCredentials {
  /** Process id. */
  readonly pid: number
  /** User id. */
  readonly uid: number
  /** Group id. */
  readonly gid: number
}

/** Asks the kernel who stands at the other end: `struct ucred`. */
export function peerCredentials(fd: Fd<'socket'>): PeerCredentials {
  const credentials = new Int32Array(3)
  const length = Uint32Array.of(credentials.byteLength)
  if (libcCalls.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) === -1) {
    throw syscallError('getsockopt(SO_PEERCRED)', lastErrno(), 'a Unix socket')
  }
  const [pid = 0, uid = 0, gid = 0] = credentials
  return { pid, uid: uid >>> 0, gid: gid >>> 0 }
}
