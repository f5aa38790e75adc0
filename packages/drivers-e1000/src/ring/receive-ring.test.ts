import { bindRegisters } from '@openbar/vfio'
import { beforeEach, describe, expect, it } from 'vitest'
import { e1000Registers as table } from '../hardware/registers.ts'
import { MemoryRegisters } from '../testing/memory-registers.ts'
import { PlainMemory } from '../testing/plain-memory.ts'
import { BUFFER_BYTES } from './descriptor-ring.ts'
import { ReceiveRing } from './receive-ring.ts'

const COUNT = 8
const DD = 1
const EOP = 2
const CRC_ERROR = 0x0100
const CHECKSUM_ERROR = 0x2000
let memory: PlainMemory
let access: MemoryRegisters
let ring: ReceiveRing

/** Fills the descriptor at the head as the NIC does. @returns `false` when the NIC has none left. */
function receive(length: number, first: number, status = DD | EOP): boolean {
  const head = access.read32(table.RDH.offset)
  if (head === access.read32(table.RDT.offset)) return false
  const [descriptors, buffers] = memory.buffers
  buffers!.bytes[head * BUFFER_BYTES] = first
  descriptors!.u32[head * 4 + 2] = length
  descriptors!.u32[head * 4 + 3] = status
  access.write32(table.RDH.offset, (head + 1) % COUNT)
  return true
}

beforeEach(() => {
  memory = new PlainMemory()
  access = new MemoryRegisters()
  ring = new ReceiveRing(memory, bindRegisters(table, access), COUNT)
  ring.start()
})

describe('ReceiveRing', () => {
  it('tells the NIC where it is, and gives it all descriptors but one', () => {
    const [descriptors, buffers] = memory.buffers
    const read = (name: 'RDBAL' | 'RDBAH' | 'RDLEN' | 'RDH' | 'RDT') => access.read32(table[name].offset)
    expect((BigInt(read('RDBAH')) << 32n) | BigInt(read('RDBAL'))).toBe(descriptors!.iova)
    expect([read('RDLEN'), read('RDH'), read('RDT')]).toEqual([COUNT * 16, 0, COUNT - 1])
    const second = (BigInt(descriptors!.u32[5]!) << 32n) | BigInt(descriptors!.u32[4]!)
    expect(second).toBe(buffers!.iova + BigInt(BUFFER_BYTES))
  })

  it('hands the frames out in order, many times round, and never runs the NIC dry for good', () => {
    const seen: number[] = []
    for (let round = 0; round < 5 * COUNT; round += 1) {
      expect(receive(60 + round, round), `frame ${round}`).toBe(true)
      const frame = ring.take()
      seen.push(frame![0]!)
      expect(frame).toHaveLength(60 + round)
    }
    expect(seen).toEqual(Array.from({ length: 5 * COUNT }, (_, round) => round))
    expect(ring.take()).toBeUndefined()
    ring.giveBack()
    for (let count = 0; count < COUNT - 1; count += 1) expect(receive(60, 0)).toBe(true)
    expect(receive(60, 0)).toBe(false)
  })

  it('says whether there is something to take', () => {
    expect(ring.pending).toBe(false)
    receive(60, 1)
    expect(ring.pending).toBe(true)
    ring.take()
    expect(ring.pending).toBe(false)
  })

  it('drops what has errors, but not what fails a checksum of a higher layer', () => {
    receive(60, 1, DD | EOP | CRC_ERROR)
    receive(60, 2, DD | EOP | CHECKSUM_ERROR)
    expect(ring.take()?.[0]).toBe(2)
    expect(ring.take()).toBeUndefined()
  })

  it('drops a frame that goes over several descriptors, with its last part', () => {
    receive(2048, 1, DD)
    receive(2048, 2, DD)
    expect(ring.take()).toBeUndefined()
    receive(904, 3)
    receive(60, 4)
    expect(ring.take()?.[0]).toBe(4)
  })

  it('gives copies, and its memory back', () => {
    receive(60, 1)
    const frame = ring.take()
    memory.buffers[1]!.bytes[0] = 9
    expect(frame?.[0]).toBe(1)
    ring.close()
    expect(memory.closed).toBe(2)
  })
})
