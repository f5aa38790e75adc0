import type { Fd } from '../fd.ts'
import { addressOf } from '../ffi/libc.ts'
import { ownFds } from '../own-fd.ts'
import { defineStruct } from '../struct.ts'

// The C library's and the kernel's structs for x86-64: bits/socket.h, bits/types/struct_iovec.h.

const msghdr = defineStruct('msghdr', 56, {
  msg_name: ['u64', 0],
  msg_namelen: ['u32', 8],
  msg_iov: ['u64', 16],
  msg_iovlen: ['u64', 24],
  msg_control: ['u64', 32],
  msg_controllen: ['u64', 40],
  msg_flags: ['s32', 48],
})
const iovec = defineStruct('iovec', 16, { iov_base: ['u64', 0], iov_len: ['u64', 8] })
const cmsghdr = defineStruct('cmsghdr', 16, { cmsg_len: ['u64', 0], cmsg_level: ['s32', 8], cmsg_type: ['s32', 12] })

const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const WORD = 8
const FD_BYTES = 4

/** A message with its parts in memory, as `sendmsg` and `recvmsg` take it. */
export interface MessageHeader {
  /** Hands it to the kernel, and keeps its parts, of which the kernel knows the addresses alone, until that is over. */
  pass(call: (header: Uint8Array) => number): number
  /** What the kernel said of a message that it delivered: `MSG_TRUNC`, `MSG_CTRUNC`. */
  readonly flags: number
  /** The file descriptors that came along. */
  fds(): Fd[]
}

/** Room in control data for so many file descriptors: `CMSG_SPACE`. */
function controlSpace(fds: number): number {
  return cmsghdr.size + Math.ceil((fds * FD_BYTES) / WORD) * WORD
}

/** Parts of messages that the kernel is given now: held, so that they are not collected. */
const passed = new Set<Uint8Array>()

function header(payload: Uint8Array, control: Uint8Array): MessageHeader {
  const vector = iovec.allocate()
  vector.iov_base = addressOf(payload)
  vector.iov_len = BigInt(payload.byteLength)
  const message = msghdr.allocate()
  message.msg_iov = addressOf(vector.bytes)
  message.msg_iovlen = 1n
  if (control.byteLength > 0) {
    message.msg_control = addressOf(control)
    message.msg_controllen = BigInt(control.byteLength)
  }
  return {
    pass: (call) => {
      const parts = [payload, control, vector.bytes]
      for (const part of parts) passed.add(part)
      try {
        return call(message.bytes)
      } finally {
        for (const part of parts) passed.delete(part)
      }
    },
    get flags() {
      return message.msg_flags
    },
    fds: () => fdsIn(control.subarray(0, Number(message.msg_controllen))),
  }
}

/** A message to send, and the file descriptors that go along. */
export function outgoing(payload: Uint8Array, fds: readonly Fd[]): MessageHeader {
  if (fds.length === 0) return header(payload, new Uint8Array())
  const control = cmsghdr.allocate(controlSpace(fds.length) - cmsghdr.size)
  control.cmsg_len = BigInt(cmsghdr.size + fds.length * FD_BYTES)
  control.cmsg_level = SOL_SOCKET
  control.cmsg_type = SCM_RIGHTS
  for (const [index, fd] of fds.entries()) control.view.setInt32(cmsghdr.size + index * FD_BYTES, fd, true)
  return header(payload, control.bytes)
}

/** Room for a message, and for file descriptors; for one more than asked where it takes no more room. */
export function incoming(payload: Uint8Array, maxFds: number): MessageHeader {
  return header(payload, maxFds === 0 ? new Uint8Array() : new Uint8Array(controlSpace(maxFds)))
}

/** All descriptors in control data, of as many messages as there are. */
function fdsIn(control: Uint8Array): Fd[] {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength)
  const fds: number[] = []
  for (let at = 0; at + cmsghdr.size <= control.byteLength; ) {
    const length = Number(view.getBigUint64(at, true))
    const end = Math.min(at + length, control.byteLength)
    if (length < cmsghdr.size) break
    const rights = view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS
    for (let where = at + cmsghdr.size; rights && where + FD_BYTES <= end; where += FD_BYTES) {
      fds.push(view.getInt32(where, true))
    }
    at += Math.ceil(length / WORD) * WORD
  }
  return ownFds(fds)
}
