import { internetChecksum } from './ipv4.ts'

const HEADER = 8

export const ECHO_REPLY = 0
export const ECHO_REQUEST = 8

/** An ICMP echo request or reply (RFC 792). */
export interface IcmpEcho {
  readonly type: number
  readonly identifier: number
  readonly sequence: number
  readonly data: Uint8Array
}

export function encodeIcmpEcho({ type, identifier, sequence, data }: IcmpEcho): Uint8Array {
  const message = new Uint8Array(HEADER + data.length)
  const view = new DataView(message.buffer)
  message[0] = type
  view.setUint16(4, identifier)
  view.setUint16(6, sequence)
  message.set(data, HEADER)
  view.setUint16(2, internetChecksum(message))
  return message
}

/** @returns `undefined` for a message that is cut off or has a wrong checksum. */
export function decodeIcmpEcho(message: Uint8Array): IcmpEcho | undefined {
  if (message.length < HEADER || internetChecksum(message) !== 0) return undefined
  const view = new DataView(message.buffer, message.byteOffset)
  return {
    type: message[0]!,
    identifier: view.getUint16(4),
    sequence: view.getUint16(6),
    data: message.subarray(HEADER),
  }
}
