import { styleText } from 'node:util'
import type { E1000, LinkState, Statistics } from '@openbar/drivers-e1000'
import type { DomainSnapshot, Group } from '@openbar/iommu'
import type { PciFunction } from '@openbar/pci'
import type { Device } from '@openbar/vfio'
import type { EchoReply } from './ping-host.ts'

/** What the ping tells as it goes: to a person as text, or to a program as one JSON line for each event. */
export interface PingReport {
  found(nic: PciFunction): void
  domainOpened(domain: DomainSnapshot): void
  deviceOpened(device: Device, group: Group, oldDriver: string | undefined): void
  nicStarted(nic: E1000, domain: DomainSnapshot): void
  linkUp(link: LinkState): void
  resolved(host: string, mac: string | undefined): void
  echoed(host: string, sequence: number, reply: EchoReply | undefined): void
  finished(host: string, sent: number, replies: readonly EchoReply[]): void
  statistics(statistics: Statistics, interrupts: number): void
  mappings(domain: DomainSnapshot): void
  closed(address: string, driver: string | undefined): void
  failed(message: string, code: string | undefined): void
}

const hex = (value: number | bigint, digits = 0) => `0x${value.toString(16).padStart(digits, '0')}`
const size = (bytes: number) => (bytes % (1024 * 1024) === 0 ? `${bytes / 1024 / 1024} MiB` : `${bytes / 1024} KiB`)
const id = ({ vendorId, deviceId }: PciFunction) =>
  `${vendorId.toString(16).padStart(4, '0')}:${deviceId.toString(16).padStart(4, '0')}`

const INTERRUPT_NAMES = { intx: 'INTx', msi: 'MSI', msix: 'MSI-X' } as const

export function jsonReport(): PingReport {
  const emit = (event: string, values: object) =>
    console.log(JSON.stringify({ event, ...values }, (_, value) => (typeof value === 'bigint' ? hex(value) : value)))
  return {
    found: (nic) => emit('found', { address: nic.address.toString(), id: id(nic), driver: nic.driver ?? null }),
    domainOpened: ({ backend }) => emit('domain', { backend }),
    deviceOpened: (device, group, oldDriver) =>
      emit('device', {
        address: device.address,
        group: group.id,
        neighbours: group.devices.length - 1,
        takenFrom: oldDriver ?? null,
      }),
    nicStarted: (nic, { mappings, pinnedBytes }) =>
      emit('started', {
        model: nic.model,
        mac: nic.mac,
        interrupt: nic.interruptKind,
        mappings: mappings.length,
        pinnedBytes,
      }),
    linkUp: (link) => emit('link', { ...link }),
    resolved: (host, mac) => emit('arp', { host, mac: mac ?? null }),
    echoed: (host, sequence, reply) => emit(reply === undefined ? 'lost' : 'reply', { host, sequence, ...reply }),
    finished: (host, sent, replies) => emit('summary', { host, sent, received: replies.length }),
    statistics: (statistics, interrupts) =>
      emit('statistics', {
        interrupts,
        ...Object.fromEntries(Object.entries(statistics).map(([name, count]) => [name, Number(count)])),
      }),
    mappings: ({ mappings }) => emit('mappings', { mappings }),
    closed: (address, driver) => emit('closed', { address, driver: driver ?? null }),
    failed: (message, code) => emit('error', { code: code ?? null, message }),
  }
}

export function textReport(): PingReport {
  const line = (name: string, text: string) => console.log(`  ${styleText('dim', name.padEnd(11))}${text}`)
  return {
    found: (nic) => console.log(styleText('bold', `${nic.address} [${id(nic)}], driven by ${nic.driver ?? 'nobody'}`)),
    domainOpened: ({ backend }) => line('domain', `open on ${backend}, empty: a device in it reaches no memory yet`),
    deviceOpened: (device, group, oldDriver) => {
      const others = group.devices.filter(({ address }) => address !== device.address).map(({ address }) => address)
      line(
        'group',
        `IOMMU group ${group.id}, ${others.length === 0 ? 'the device alone' : `with ${others.join(', ')}`}`,
      )
      line(
        'device',
        `${oldDriver === undefined ? 'bound to vfio-pci' : `taken from ${oldDriver}, bound to vfio-pci`}, in the domain`,
      )
    },
    nicStarted: (nic, { mappings, pinnedBytes }) => {
      line('memory', `${mappings.length} mappings, ${size(pinnedBytes)} pinned`)
      line('nic', `${nic.model}, ${nic.mac}, interrupts by ${INTERRUPT_NAMES[nic.interruptKind]}`)
    },
    linkUp: ({ speed, fullDuplex }) => line('link', `up, ${speed} Mb/s, ${fullDuplex ? 'full' : 'half'} duplex`),
    resolved: (host, mac) => line('arp', mac === undefined ? `${host} does not answer` : `${host} is at ${mac}\n`),
    echoed: (host, sequence, reply) =>
      console.log(
        reply === undefined
          ? styleText('red', `  no reply from ${host}: icmp_seq=${sequence}`)
          : `  ${reply.bytes} bytes from ${host}: icmp_seq=${sequence} ttl=${reply.ttl} time=${reply.milliseconds.toFixed(2)} ms`,
      ),
    finished: (_, sent, replies) => {
      const times = replies.map(({ milliseconds }) => milliseconds)
      const mean = times.reduce((sum, time) => sum + time, 0) / times.length
      const rtt =
        times.length === 0
          ? ''
          : `, rtt min/avg/max ${[Math.min(...times), mean, Math.max(...times)].map((time) => time.toFixed(2)).join('/')} ms`
      console.log(`  ${sent} sent, ${replies.length} received${rtt}\n`)
    },
    statistics: (statistics, interrupts) => {
      line(
        'received',
        `${statistics.receivedPackets} packets, ${statistics.receivedBytes} bytes, ${statistics.missedPackets} missed`,
      )
      line('sent', `${statistics.transmittedPackets} packets, ${statistics.transmittedBytes} bytes`)
      line('interrupts', `${interrupts}`)
    },
    mappings: ({ mappings }) => {
      for (const mapping of mappings) {
        line(
          'mapping',
          `${hex(mapping.iova, 10)} ${size(mapping.size).padStart(8)}  the device may ${mapping.access.replace('-', ' and ')}`,
        )
      }
    },
    closed: (address, driver) =>
      line(
        'closed',
        `${address} is ${driver === undefined ? 'bound to no driver, as before' : `back with ${driver}`}\n`,
      ),
    failed: (message) => console.error(styleText('red', `\n${message}`)),
  }
}
