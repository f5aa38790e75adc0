/** An IPv4 address as text. */
export type Ipv4Address = string

export const PROTOCOL_ICMP = 1

const HEADER = 20

/** What an IPv4 packet without options carries (RFC 791, 3.1). */
export interface Ipv4Packet {
  readonly source: Ipv4Address
  readonly destination: Ipv4Address
  readonly protocol: number
  /** Hops that it may still take. */
  readonly ttl: number
  readonly payload: Uint8Array
}

export function encodeIpv4({ source, destination, protocol, ttl, payload }: Ipv4Packet): Uint8Array {
  const packet = new Uint8Array(HEADER + payload.length)
  const view = new DataView(packet.buffer)
  packet[0] = 0x45 // version 4, a header of five words
  view.setUint16(2, packet.length)
  packet[8] = ttl
  packet[9] = protocol
  packet.set(ipv4Bytes(source), 12)
  packet.set(ipv4Bytes(destination), 16)
  view.setUint16(10, internetChecksum(packet.subarray(0, HEADER)))
  packet.set(payload, HEADER)
  return packet
}

/** @returns `undefined` for a packet that is cut off, of another version, or has a wrong header checksum. */
export function decodeIpv4(packet: Uint8Array): Ipv4Packet | undefined {
  if (packet.length < HEADER) return undefined
  const view = new DataView(packet.buffer, packet.byteOffset)
  const header = (packet[0]! & 0xf) * 4
  const length = view.getUint16(2)
  if (packet[0]! >>> 4 !== 4 || header < HEADER || length < header || length > packet.length) return undefined
  if (internetChecksum(packet.subarray(0, header)) !== 0) return undefined
  return {
    source: packet.subarray(12, 16).join('.'),
    destination: packet.subarray(16, 20).join('.'),
    protocol: packet[9]!,
    ttl: packet[8]!,
    payload: packet.subarray(header, length),
  }
}

export function ipv4Bytes(address: Ipv4Address): number[] {
  return address.split('.').map(Number)
}

/** The Internet checksum (RFC 1071); 0 over data that holds its own correct checksum. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0
  for (let index = 0; index < bytes.length; index += 2) sum += (bytes[index]! << 8) | (bytes[index + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
