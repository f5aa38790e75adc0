import { bindRegisters } from '@openbar/vfio'
import { beforeEach, describe, expect, it } from 'vitest'
import { e1000Registers as table } from '../hardware/registers.ts'
import { MemoryRegisters } from '../testing/memory-registers.ts'
import { PlainMemory } from '../testing/plain-memory.ts'
import { BUFFER_BYTES } from './descriptor-ring.ts'
import { TransmitRing } from './transmit-ring.ts'

const COUNT = 8
let memory: PlainMemory
let sent: string[]
let stuck: boolean
let ring: TransmitRing

/** A NIC that sends what it finds between head and tail within the write to the tail, as QEMU's does. */
class SendingNic extends MemoryRegisters {
  override write32(offset: number, value: number): void {
    super.write32(offset, value)
    if (offset === table.TDT.offset && !stuck) this.send()
  }

  send(): void {
    const [descriptors, buffers] = memory.buffers
    let head = this.read32(table.TDH.offset)
    for (; head !== this.read32(table.TDT.offset); head = (head + 1) % COUNT) {
      const command = descriptors!.u32[head * 4 + 2]!
      expect(command >>> 24).toBe(0x0b)
      const start = head * BUFFER_BYTES
      sent.push(Buffer.from(buffers!.bytes.subarray(start, start + (command & 0xffff))).toString('hex'))
      descriptors!.u32[head * 4 + 3] = 1
    }
    super.write32(table.TDH.offset, head)
  }
}

let nic: SendingNic
beforeEach(() => {
  memory = new PlainMemory()
  sent = []
  stuck = false
  nic = new SendingNic()
  ring = new TransmitRing(memory, bindRegisters(table, nic), COUNT)
  ring.start()
})

describe('TransmitRing', () => {
  it('has each frame whole in the ring before the NIC is told, many times round', () => {
    for (let round = 0; round < 5 * COUNT; round += 1) expect(ring.send(Uint8Array.of(round, 0xff))).toBe(true)
    expect(sent).toEqual(Array.from({ length: 5 * COUNT }, (_, round) => `${Buffer.of(round).toString('hex')}ff`))
  })

  it('is full with one descriptor to spare, and has room once the NIC has sent', () => {
    stuck = true
    for (let count = 0; count < COUNT - 1; count += 1) expect(ring.send(Uint8Array.of(count))).toBe(true)
    expect(ring.send(Uint8Array.of(7))).toBe(false)
    stuck = false
    nic.send()
    expect(ring.send(Uint8Array.of(7))).toBe(true)
    expect(sent).toEqual(['00', '01', '02', '03', '04', '05', '06', '07'])
  })

  it.each([0, 7, 12, 8192, 8.5])('refuses to have %d descriptors', (count) => {
    expect(() => new TransmitRing(memory, bindRegisters(table, nic), count)).toThrow('power of two')
  })
})
