/** An Ethernet address as text. */
export type MacAddress = string

export const BROADCAST: MacAddress = 'ff:ff:ff:ff:ff:ff'

export const ETHERTYPE_IPV4 = 0x0800
export const ETHERTYPE_ARP = 0x0806

/** Bytes of an Ethernet header: destination, source, EtherType. */
export const ETHERNET_HEADER = 14

/** What an Ethernet II frame carries (IEEE 802.3, clause 3). */
export interface EthernetFrame {
  readonly destination: MacAddress
  readonly source: MacAddress
  readonly etherType: number
  readonly payload: Uint8Array
}

export function encodeEthernet({ destination, source, etherType, payload }: EthernetFrame): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER + payload.length)
  frame.set(macBytes(destination), 0)
  frame.set(macBytes(source), 6)
  new DataView(frame.buffer).setUint16(12, etherType)
  frame.set(payload, ETHERNET_HEADER)
  return frame
}

export function decodeEthernet(frame: Uint8Array): EthernetFrame | undefined {
  if (frame.length < ETHERNET_HEADER) return undefined
  return {
    destination: macText(frame.subarray(0, 6)),
    source: macText(frame.subarray(6, 12)),
    etherType: new DataView(frame.buffer, frame.byteOffset).getUint16(12),
    payload: frame.subarray(ETHERNET_HEADER),
  }
}

export function macBytes(address: MacAddress): number[] {
  return address.split(':').map((part) => Number.parseInt(part, 16))
}

export function macText(bytes: Uint8Array): MacAddress {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}
