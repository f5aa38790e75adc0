import { describe, expect, it } from 'vitest'
import { BufferAccess } from '../access/buffer-access.ts'
import { configBytes, e1000Dump, e1000eDump, rootPortDump } from '../testing/config-dumps.ts'
import { ConfigSpace } from './config-space.ts'

function open(dump: string, size = 4096): ConfigSpace {
  return new ConfigSpace(new BufferAccess(configBytes(dump).slice(0, size)))
}

describe('capabilities()', () => {
  it('walks the chain of an e1000e', () => {
    const list = open(e1000eDump).capabilities()
    expect(list.broken).toBeUndefined()
    expect([...list].map((item) => [item.kind, item.offset, item.extent])).toEqual([
      ['powerManagement', 0xc8, 0x08],
      ['msi', 0xd0, 0x10],
      ['pciExpress', 0xe0, 0x20],
      ['msix', 0xa0, 0x28],
    ])
    expect(list.find('powerManagement')).toMatchObject({ version: 2, state: 'D0', noSoftReset: false, pmeSupport: 0 })
    expect(list.find('msi')).toMatchObject({ enable: false, vectorsSupported: 1, address64: true, mask: undefined })
    expect(list.find('msix')).toMatchObject({
      name: 'MSI-X',
      enable: false,
      functionMask: false,
      tableSize: 5,
      table: { bar: 3, offset: 0 },
      pendingBits: { bar: 3, offset: 0x2000 },
    })
    expect(list.find('pciExpress')).toMatchObject({
      version: 1,
      type: 'rootComplexIntegratedEndpoint',
      functionLevelReset: false,
      maxPayloadSupported: 128,
      link: undefined,
    })
  })

  it('decodes a root port, and keeps what has no decoder as bytes', () => {
    const list = open(rootPortDump).capabilities()
    expect(list.find('pciExpress')).toMatchObject({
      version: 2,
      type: 'rootPort',
      slotImplemented: true,
      link: { maximum: { speed: 16, width: 32 } },
    })
    const subsystem = list.findById(0x0d)
    expect(subsystem).toMatchObject({ kind: 'unknown', name: 'PCI Bridge Subsystem Vendor ID', extent: 8 })
    expect(subsystem?.bytes).toEqual(Uint8Array.of(0x0d, 0, 0, 0, 0x36, 0x1b, 0, 0))
    expect(list.find('msix')?.tableSize).toBe(1)
  })

  it('decodes MSI with a 64-bit address and masks, and with neither', () => {
    const config = open(e1000eDump)
    config.access.write16(0xd2, 0x01a5)
    config.access.write32(0xd4, 0xfee0_0000)
    config.access.write32(0xd8, 1)
    config.access.write16(0xdc, 0x4021)
    expect(config.capabilities().broken?.message).toMatch(/Message Signaled Interrupts at 0xd0 does not fit/)
    const access = new BufferAccess(configBytes(e1000Dump))
    const roomy = new ConfigSpace(access)
    access.write16(0x06, 0x10)
    access.write8(0x34, 0x50)
    access.bytes.set([5, 0, 0xa5, 0x01, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0, 0x21, 0x40, 0, 0, 3, 0, 0, 0, 2], 0x50)
    const list = roomy.capabilities()
    expect(list.find('msi')).toMatchObject({
      enable: true,
      vectorsSupported: 4,
      vectorsEnabled: 4,
      messageAddress: 0x1_fee0_0000n,
      messageData: 0x4021,
      mask: 3,
      pending: 2,
    })
    access.write16(0x52, 0)
    access.write16(0x58, 0x4022)
    expect(roomy.capabilities().find('msi')).toMatchObject({ messageAddress: 0xfee0_0000n, messageData: 0x4022 })
  })

  it('is empty without the bit in status', () => {
    const list = open(e1000Dump).capabilities()
    expect([list.items, list.broken]).toEqual([[], undefined])
  })
})

describe('a broken chain', () => {
  const offsetsAndBreak = (config: ConfigSpace): unknown => {
    const { items, broken } = config.capabilities()
    return [items.map((item) => item.offset), broken?.code, broken?.context.offset]
  }

  it('gives the part before a loop', () => {
    const config = open(e1000eDump)
    config.access.write8(0xa1, 0xd0)
    expect(offsetsAndBreak(config)).toEqual([[0xc8, 0xd0, 0xe0, 0xa0], 'ERR_CONFIG_SPACE', 0xa0])
    expect(config.capabilities().broken?.message).toBe(
      'The capability at 0xa0 points back to 0xd0: the chain is a loop.',
    )
  })

  it('gives the part before a pointer into the header, or to nothing', () => {
    const config = open(e1000eDump)
    config.access.write8(0xd1, 0x10)
    expect(offsetsAndBreak(config)).toEqual([[0xc8, 0xd0], 'ERR_CONFIG_SPACE', 0xd0])
    config.access.write8(0xd1, 0xe0)
    config.access.write8(0xe0, 0xff)
    expect(offsetsAndBreak(config)).toEqual([[0xc8, 0xd0], 'ERR_CONFIG_SPACE', 0xe0])
  })

  it('tells that a dump is too short', () => {
    const config = open(e1000eDump, 64)
    expect(offsetsAndBreak(config)).toEqual([[], 'ERR_CONFIG_SPACE', 0xc8])
    expect(config.capabilities().broken?.cause).toMatchObject({ code: 'ERR_OUT_OF_BOUNDS' })
    const cut = new ConfigSpace(new BufferAccess(configBytes(e1000eDump).slice(0, 0xd0)))
    expect(offsetsAndBreak(cut)).toEqual([[0xc8], 'ERR_CONFIG_SPACE', 0xd0])
  })

  it('keeps a known capability that does not fit, undecoded, and goes on', () => {
    const config = open(e1000eDump)
    config.access.write8(0x34, 0xfc)
    config.access.write16(0xfc, 0xc811)
    expect(config.capabilities().items.map((item) => item.kind)).toEqual([
      'unknown',
      'powerManagement',
      'msi',
      'pciExpress',
      'msix',
    ])
    expect(offsetsAndBreak(config)).toEqual([[0xfc, 0xc8, 0xd0, 0xe0, 0xa0], 'ERR_CONFIG_SPACE', 0xfc])
  })

  it('says so when nothing answers, or the header is of an unknown type', () => {
    expect(offsetsAndBreak(new ConfigSpace(new BufferAccess(new Uint8Array(256).fill(0xff))))).toEqual([
      [],
      'ERR_CONFIG_SPACE',
      0x06,
    ])
    const config = open(e1000eDump)
    config.access.write8(0x0e, 0x85)
    expect(offsetsAndBreak(config)).toEqual([[], 'ERR_CONFIG_SPACE', 0x0e])
  })

  it('masks the reserved bits of pointers', () => {
    const config = open(e1000eDump)
    config.access.write8(0x34, 0xcb)
    expect(offsetsAndBreak(config)).toEqual([[0xc8, 0xd0, 0xe0, 0xa0], undefined, undefined])
  })

  it('does not hide a failure that is not the chain’s', () => {
    class Unplugged extends BufferAccess {
      override read16(offset: number): number {
        if (offset === 0xe0) throw new Error('gone')
        return super.read16(offset)
      }
    }
    const gone = new Unplugged(configBytes(e1000eDump))
    expect(() => new ConfigSpace(gone).capabilities()).toThrow('gone')
  })
})

describe('extendedCapabilities()', () => {
  it('walks the chain of an e1000e', () => {
    const list = open(e1000eDump).extendedCapabilities()
    expect(list.broken).toBeUndefined()
    expect(list.items.map((item) => [item.id, item.name, item.offset, item.extent])).toEqual([
      [1, 'Advanced Error Reporting', 0x100, 0x40],
      [3, 'Device Serial Number', 0x140, 0xec0],
    ])
    expect(list.find('deviceSerialNumber')?.serialNumber).toBe(0x525400ffff123456n)
    expect(list.findById(1)?.bytes.subarray(0, 4)).toEqual(Uint8Array.of(1, 0, 2, 0x14))
  })

  it('is empty in 256 bytes, and where all is zero or ones', () => {
    expect(open(e1000Dump).extendedCapabilities().items).toEqual([])
    for (const value of [0, 0xffff_ffff]) {
      const config = open(e1000eDump)
      config.access.write32(0x100, value)
      const list = config.extendedCapabilities()
      expect([list.items, list.broken]).toEqual([[], undefined])
    }
  })

  it('gives the part before a break', () => {
    const config = open(e1000eDump)
    config.access.write32(0x140, 0x1001_0003)
    const list = config.extendedCapabilities()
    expect(list.items).toHaveLength(2)
    expect(list.broken?.message).toBe('The capability at 0x140 points back to 0x100: the chain is a loop.')
    config.access.write32(0x140, 0x0801_0003)
    expect(config.extendedCapabilities().broken?.context).toEqual({ offset: 0x140 })
    config.access.write32(0x140, 0xffff_ffff)
    expect(config.extendedCapabilities().broken?.message).toMatch(/leads to 0x140, which holds none/)
  })
})
