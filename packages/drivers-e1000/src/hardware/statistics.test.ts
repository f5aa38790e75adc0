import { bindRegisters } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { MemoryRegisters } from '../testing/memory-registers.ts'
import { e1000Registers as table } from './registers.ts'
import { StatisticsCounter } from './statistics.ts'

/** Registers in memory, of which the named ones are set to zero by a read, as the hardware does. */
class CountingAccess extends MemoryRegisters {
  readonly clearing: ReadonlySet<number>

  constructor(clearing: readonly number[]) {
    super()
    this.clearing = new Set(clearing)
  }

  override read32(offset: number): number {
    const value = super.read32(offset)
    if (this.clearing.has(offset)) super.write32(offset, 0)
    return value
  }
}

const CLEARED = [table.GPRC, table.GORCL, table.GORCH].map(({ offset }) => offset)

describe('StatisticsCounter', () => {
  it('adds up counters that a read clears, and forgets what was there before', () => {
    const access = new CountingAccess(CLEARED)
    access.write32(table.GPRC.offset, 99)
    const counter = new StatisticsCounter(bindRegisters(table, access))
    expect(counter.read().receivedPackets).toBe(0n)
    access.write32(table.GPRC.offset, 0xffff_ffff)
    expect(counter.read().receivedPackets).toBe(0xffff_ffffn)
    access.write32(table.GPRC.offset, 2)
    expect(counter.read().receivedPackets).toBe(0x1_0000_0001n)
    access.write32(table.GORCL.offset, 5)
    access.write32(table.GORCH.offset, 1)
    expect(counter.read().receivedBytes).toBe(0x1_0000_0005n)
  })

  it.each([
    { what: 'clears', clearing: [...CLEARED, table.MPC.offset], reads: [3, 4] },
    { what: 'does not clear', clearing: CLEARED, reads: [3, 7] },
  ])('counts missed packets once where a read $what the counter', ({ clearing, reads }) => {
    const access = new CountingAccess(clearing)
    const counter = new StatisticsCounter(bindRegisters(table, access))
    const seen = reads.map((value) => {
      access.write32(table.MPC.offset, value)
      counter.read()
      return counter.read().missedPackets
    })
    expect(seen).toEqual([3n, 7n])
  })
})
