import { bindRegisters } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { MemoryRegisters } from '../testing/memory-registers.ts'
import { readLink, setLinkUp } from './link.ts'
import { e1000Registers as table } from './registers.ts'

describe('the link', () => {
  it('is left to the PHY: nothing forced, no speed detected by the MAC, and what else CTRL holds is kept', () => {
    const access = new MemoryRegisters()
    const { SLU, ASDE, FRCSPD, FRCDPLX, LRST, FD } = table.CTRL
    access.write32(table.CTRL.offset, FD | ASDE | FRCSPD | FRCDPLX | LRST)
    setLinkUp(bindRegisters(table, access))
    expect(access.read32(table.CTRL.offset)).toBe(FD | SLU)
  })

  it.each([
    [0x83, { up: true, speed: 1000, fullDuplex: true }],
    [0x42, { up: true, speed: 100, fullDuplex: false }],
    [0x01, { up: false, speed: 10, fullDuplex: true }],
  ])('is read from the status 0x%x', (status, state) => {
    const access = new MemoryRegisters()
    access.write32(table.STATUS.offset, status)
    expect(readLink(bindRegisters(table, access))).toEqual(state)
  })
})
