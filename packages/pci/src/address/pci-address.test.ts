import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PciAddress } from './pci-address.ts'

describe('PciAddress', () => {
  it('parses the full and the short form', () => {
    expect(PciAddress.from('0001:af:1f.7')).toMatchObject({ domain: 1, bus: 0xaf, device: 31, function: 7 })
    expect(String(PciAddress.from('03:00.0'))).toBe('0000:03:00.0')
    expect(String(PciAddress.from('10000:E1:00.0'))).toBe('10000:e1:00.0')
  })

  it('survives format and parse', () => {
    const part = (max: number) => fc.integer({ min: 0, max })
    fc.assert(
      fc.property(part(0xffff_ffff), part(255), part(31), part(7), (domain, bus, device, fn) => {
        const address = new PciAddress(domain, bus, device, fn)
        expect(PciAddress.from(`${address}`)).toEqual(address)
        expect(address.equals(`${address}`)).toBe(true)
      }),
    )
  })

  it.each(['', '03:00', '03:00.8', '03:20.0', '3:0.0', '000:03:00.0', '0000:03:00.0\n', '../0000:03:00.0'])(
    'refuses %j and says what would be right',
    (text) => {
      expect(() => PciAddress.from(text)).toThrow(/address must be a PCI address such as '0000:03:00\.0'/)
    },
  )

  it('refuses parts that are too large', () => {
    expect(() => new PciAddress(0, 256, 0, 0)).toThrow(/bus must be a whole number from 0 to 255, not 256/)
    expect(() => new PciAddress(0, 0, 0, 1.5)).toThrow(/function/)
  })

  it('sorts by domain, bus, device and function', () => {
    const sorted = ['0001:00:00.0', '0000:0a:00.0', '0000:03:00.1', '0000:03:00.0'].sort(PciAddress.compare)
    expect(sorted).toEqual(['0000:03:00.0', '0000:03:00.1', '0000:0a:00.0', '0001:00:00.0'])
  })

  it('packs the routing id and prints as JSON text', () => {
    expect(PciAddress.from('03:1f.1').routingId).toBe(0x03f9)
    expect(JSON.stringify({ at: PciAddress.from('03:00.0') })).toBe('{"at":"0000:03:00.0"}')
  })
})
