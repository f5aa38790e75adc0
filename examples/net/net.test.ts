import { describe, expect, it } from 'vitest'
import { ARP_REQUEST, decodeArp, encodeArp } from './arp.ts'
import { decodeEthernet, encodeEthernet } from './ethernet.ts'
import { decodeIcmpEcho, ECHO_REQUEST, encodeIcmpEcho } from './icmp-echo.ts'
import { decodeIpv4, encodeIpv4, internetChecksum } from './ipv4.ts'

describe('packets', () => {
  it('computes the checksum of the example in RFC 1071, section 3', () => {
    expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(~0xddf2 & 0xffff)
  })

  it('reads back what it wrote: Ethernet, ARP', () => {
    const arp = {
      operation: ARP_REQUEST,
      senderMac: '52:54:00:12:34:56',
      senderIp: '10.0.2.15',
      targetMac: '00:00:00:00:00:00',
      targetIp: '10.0.2.2',
    }
    const frame = {
      destination: 'ff:ff:ff:ff:ff:ff',
      source: arp.senderMac,
      etherType: 0x0806,
      payload: encodeArp(arp),
    }
    const decoded = decodeEthernet(encodeEthernet(frame))
    expect(decoded).toEqual(frame)
    expect(decodeArp(decoded?.payload ?? new Uint8Array())).toEqual(arp)
  })

  it('reads back what it wrote, and notices one flipped bit: IPv4, ICMP', () => {
    const data = Uint8Array.of(1, 2, 3)
    const message = encodeIcmpEcho({ type: ECHO_REQUEST, identifier: 7, sequence: 9, data })
    const ip = { source: '10.0.2.15', destination: '10.0.2.2', protocol: 1, ttl: 64, payload: message }
    const bytes = encodeIpv4(ip)
    expect(decodeIpv4(bytes)).toEqual(ip)
    expect(decodeIcmpEcho(message)).toEqual({ type: ECHO_REQUEST, identifier: 7, sequence: 9, data })
    for (let bit = 0; bit < 20 * 8; bit += 1) {
      const damaged = bytes.slice()
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      expect(decodeIpv4(damaged), `bit ${bit}`).toBeUndefined()
    }
    message[9]! ^= 0x10
    expect(decodeIcmpEcho(message)).toBeUndefined()
  })
})
