import { describe, expect, it } from 'vitest'
import { parseResource } from './resource.ts'

describe('parseResource', () => {
  it('reads a 32-bit memory BAR', () => {
    expect(parseResource('0x00000000febc0000 0x00000000febdffff 0x0000000000040200')).toEqual({
      kind: 'memory32',
      start: 0xfebc0000n,
      size: 0x20000,
      prefetchable: false,
      assigned: true,
      flags: 0x40200n,
    })
  })

  it('reads a 64-bit prefetchable BAR above 4 GiB', () => {
    expect(parseResource('0x0000006000000000 0x00000067ffffffff 0x000000000014220c')).toMatchObject({
      kind: 'memory64',
      start: 0x60_0000_0000n,
      size: 2 ** 35,
      prefetchable: true,
    })
  })

  it('reads ports, and ranges that got no address', () => {
    expect(parseResource('0x000000000000c000 0x000000000000c03f 0x0000000000040101')).toMatchObject({
      kind: 'io',
      size: 64,
    })
    expect(parseResource('0x0000000000000000 0x0000000000003fff 0x0000000020040200')).toMatchObject({
      size: 0x4000,
      assigned: false,
    })
    expect(parseResource('0x0000000000000000 0x0000000000000000 0x0000000000040200')).toMatchObject({
      size: 0,
      assigned: false,
    })
  })

  it('answers undefined for an empty slot', () => {
    expect(parseResource('0x0000000000000000 0x0000000000000000 0x0000000000000000')).toBeUndefined()
    expect(parseResource('')).toBeUndefined()
  })
})
