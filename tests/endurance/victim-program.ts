import { once } from 'node:events'
import { type BackendName, Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'

// Runs as a process of its own, which is killed at any moment: victim-program.ts BACKEND ADDRESS KEPT-BYTES
// It says how far it has come: `ready`, and on a line of input `open`, then `dma` once the NIC has sent the first frame.

const PAGE = 4096
const KEPT_IOVA = 0x1000_0000
const FRAME_IOVA = 0x4000_0000
const RING_ENTRIES = 8
const DD = 1

const [backend, address = '', keptBytes] = process.argv.slice(2)
const say = (word: string) => process.stdout.write(`${word}\n`)

const kept = MappedMemory.anonymous(Number(keptBytes))
const frames = MappedMemory.anonymous(16 * PAGE)
say('ready')
await once(process.stdin, 'data')

const domain = await Domain.open({ backend: backend as BackendName })
const device = await Device.open(address, { domain })
say('open')
domain.map(kept, { iova: KEPT_IOVA })
device.config.command.busMasterEnable = true
const bar0 = device.bar(0).map()

// An ARP request for the gateway (RFC 826), so that frames come back whenever the network gets to it.
const arp = [...[0, 1, 8, 0, 6, 4, 0, 1], ...[2, 0, 0, 0, 0, 1, 10, 0, 2, 15], ...[0, 0, 0, 0, 0, 0, 10, 0, 2, 2]]
new Uint8Array(frames.buffer).set([...[255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1], ...[8, 6], ...arp])

// The first page of what is kept holds both rings, those behind it what is received (SDM 3.2.3, 3.3.3).
const words = new Uint32Array(kept.buffer, 0, PAGE / 4)
const transmit = words.subarray(0, RING_ENTRIES * 4)
const receive = words.subarray(512, 512 + RING_ENTRIES * 4)
for (let index = 0; index < RING_ENTRIES; index += 1) {
  transmit.set([FRAME_IOVA, 0, (0x09 << 24) | 60, 0], index * 4)
  receive.set([KEPT_IOVA + (index + 1) * PAGE, 0, 0, 0], index * 4)
}
const setRing = (base: number, iova: number) => {
  bar0.write32(base, iova)
  bar0.write32(base + 0x04, 0)
  bar0.write32(base + 0x08, RING_ENTRIES * 16)
  bar0.write32(base + 0x10, 0)
  bar0.write32(base + 0x18, 0)
}
const [RCTL, TCTL, RDBAL, RDH, RDT, TDBAL, TDT] = [0x0100, 0x0400, 0x2800, 0x2810, 0x2818, 0x3800, 0x3818]
setRing(TDBAL, KEPT_IOVA)
setRing(RDBAL, KEPT_IOVA + 2048)
// On, and takes frames for any address and broadcasts, without their checksum.
bar0.write32(RCTL, (1 << 1) | (1 << 3) | (1 << 15) | (1 << 26))
bar0.write32(TCTL, 1 << 1)

for (let sent = 0; ; sent += 1) {
  const mapping = domain.map(frames, { iova: FRAME_IOVA })
  bar0.write32(TDT, (sent + 1) % RING_ENTRIES)
  bar0.write32(RDT, (bar0.read32(RDH) + RING_ENTRIES - 1) % RING_ENTRIES)
  domain.unmap(mapping)
  if (sent === 0) say(((transmit[3] ?? 0) & DD) === DD ? 'dma' : 'nothing was sent')
}
