import { type MacAddress, macBytes, macText } from './ethernet.ts'
import { type Ipv4Address, ipv4Bytes } from './ipv4.ts'

const LENGTH = 28
const ETHERNET = 1
const IPV4 = 0x0800

export const ARP_REQUEST = 1
export const ARP_REPLY = 2

/** A question or an answer about whose hardware address belongs to an IPv4 address (RFC 826). */
export interface ArpPacket {
  readonly operation: number
  readonly senderMac: MacAddress
  readonly senderIp: Ipv4Address
  readonly targetMac: MacAddress
  readonly targetIp: Ipv4Address
}

export function encodeArp(arp: ArpPacket): Uint8Array {
  const packet = new Uint8Array(LENGTH)
  const view = new DataView(packet.buffer)
  view.setUint16(0, ETHERNET)
  view.setUint16(2, IPV4)
  packet[4] = 6
  packet[5] = 4
  view.setUint16(6, arp.operation)
  packet.set(macBytes(arp.senderMac), 8)
  packet.set(ipv4Bytes(arp.senderIp), 14)
  packet.set(macBytes(arp.targetMac), 18)
  packet.set(ipv4Bytes(arp.targetIp), 24)
  return packet
}

/** @returns `undefined` for anything but ARP for IPv4 over Ethernet. */
export function decodeArp(packet: Uint8Array): ArpPacket | undefined {
  if (packet.length < LENGTH) return undefined
  const view = new DataView(packet.buffer, packet.byteOffset)
  if (view.getUint16(0) !== ETHERNET || view.getUint16(2) !== IPV4) return undefined
  return {
    operation: view.getUint16(6),
    senderMac: macText(packet.subarray(8, 14)),
    senderIp: packet.subarray(14, 18).join('.'),
    targetMac: macText(packet.subarray(18, 24)),
    targetIp: packet.subarray(24, 28).join('.'),
  }
}
