import type { E1000 } from '@openbar/drivers-e1000'
import { ARP_REPLY, ARP_REQUEST, decodeArp, encodeArp } from './arp.ts'
import {
  BROADCAST,
  decodeEthernet,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  type EthernetFrame,
  encodeEthernet,
  type MacAddress,
} from './ethernet.ts'
import { decodeIcmpEcho, ECHO_REPLY, ECHO_REQUEST, encodeIcmpEcho } from './icmp-echo.ts'
import { decodeIpv4, encodeIpv4, type Ipv4Address, PROTOCOL_ICMP } from './ipv4.ts'

/** One reply to an echo request. */
export interface EchoReply {
  readonly sequence: number
  /** Bytes of the ICMP message. */
  readonly bytes: number
  readonly ttl: number
  /** Round-trip time in milliseconds. */
  readonly milliseconds: number
}

/** Who asks whom, and through which NIC. */
export interface PingRoute {
  readonly nic: E1000
  readonly from: Ipv4Address
  readonly to: Ipv4Address
  /** Ends every wait early. */
  readonly signal: AbortSignal
}

const DATA = Uint8Array.from({ length: 56 }, (_, index) => index)
const REPLY_TIMEOUT_MS = 1000
const IDENTIFIER = process.pid & 0xffff

/** Asks for the hardware address of the target, up to five times, a second apart. */
export async function resolve({ nic, from, to, signal }: PingRoute): Promise<MacAddress | undefined> {
  const payload = encodeArp({
    operation: ARP_REQUEST,
    senderMac: nic.mac,
    senderIp: from,
    targetMac: '00:00:00:00:00:00',
    targetIp: to,
  })
  const request = encodeEthernet({ destination: BROADCAST, source: nic.mac, etherType: ETHERTYPE_ARP, payload })
  for (let attempt = 0; attempt < 5 && !signal.aborted; attempt += 1) {
    await nic.send(request)
    const answer = await firstFrame(nic, signal, (frame) => {
      const arp = frame.etherType === ETHERTYPE_ARP ? decodeArp(frame.payload) : undefined
      return arp?.operation === ARP_REPLY && arp.senderIp === to ? arp.senderMac : undefined
    })
    if (answer !== undefined) return answer
  }
  return undefined
}

/** Sends one echo request and waits up to a second for the reply that carries the same data. */
export async function echo(route: PingRoute, target: MacAddress, sequence: number): Promise<EchoReply | undefined> {
  const { nic, from, to, signal } = route
  const message = encodeIcmpEcho({ type: ECHO_REQUEST, identifier: IDENTIFIER, sequence, data: DATA })
  const payload = encodeIpv4({ source: from, destination: to, protocol: PROTOCOL_ICMP, ttl: 64, payload: message })
  const request = encodeEthernet({ destination: target, source: nic.mac, etherType: ETHERTYPE_IPV4, payload })
  const start = performance.now()
  await nic.send(request)
  return firstFrame(nic, signal, (frame) => {
    const packet = frame.etherType === ETHERTYPE_IPV4 ? decodeIpv4(frame.payload) : undefined
    if (packet?.protocol !== PROTOCOL_ICMP || packet.source !== to || packet.destination !== from) return undefined
    const reply = decodeIcmpEcho(packet.payload)
    const mine = reply?.type === ECHO_REPLY && reply.identifier === IDENTIFIER && reply.sequence === sequence
    if (!mine || Buffer.compare(reply.data, DATA) !== 0) return undefined
    return { sequence, bytes: packet.payload.length, ttl: packet.ttl, milliseconds: performance.now() - start }
  })
}

async function firstFrame<Found>(
  nic: E1000,
  signal: AbortSignal,
  pick: (frame: EthernetFrame) => Found | undefined,
): Promise<Found | undefined> {
  for await (const bytes of nic.frames({ signal: AbortSignal.any([signal, AbortSignal.timeout(REPLY_TIMEOUT_MS)]) })) {
    const frame = decodeEthernet(bytes)
    const found = frame === undefined ? undefined : pick(frame)
    if (found !== undefined) return found
  }
  return undefined
}
