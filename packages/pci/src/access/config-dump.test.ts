import { describe, expect, it } from 'vitest'
import { e1000Dump, e1000eDump } from '../testing/config-dumps.ts'
import { parseConfigDump } from './config-dump.ts'

describe('parseConfigDump', () => {
  it('reads several functions with their addresses and titles', () => {
    const dumps = parseConfigDump(`${e1000eDump}\n${e1000Dump}\n`)
    expect(dumps.map((dump) => [`${dump.address}`, dump.access.size])).toEqual([
      ['0000:00:02.0', 4096],
      ['0000:00:03.0', 256],
    ])
    expect(dumps[1]?.title).toContain('82540EM')
    expect(dumps[0]?.access.read32(0)).toBe(0x10d3_8086)
    expect(dumps[0]?.access.read32(0x140)).toBe(0x0001_0003)
  })

  it('passes over what -v prints, and takes bare hex lines', () => {
    const verbose = '0000:00:02.0 0200: 8086:10d3\n\tFlags: bus master\n\tMemory at febc0000\n00: 86 80 d3 10\n\n'
    expect(parseConfigDump(verbose)[0]?.access.bytes).toEqual(Uint8Array.of(0x86, 0x80, 0xd3, 0x10))
    const bare = parseConfigDump('00: 86 80\r\n00: f4 1a\r\n')
    expect(bare.map((dump) => [dump.address, dump.access.read16(0)])).toEqual([
      [undefined, 0x8086],
      [undefined, 0x1af4],
    ])
  })

  it('gives nothing for text without a dump', () => {
    expect(parseConfigDump('')).toEqual([])
    expect(parseConfigDump('00:02.0 Ethernet controller: Intel\n')).toEqual([])
  })

  it('names the line that does not follow', () => {
    expect(() => parseConfigDump('00: 86 80\n10: 00 00\n')).toThrow(/line 2 has offset 2, not '10: 00 00'/)
  })
})
