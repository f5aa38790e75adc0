import { describe, expect, test } from 'vitest'
import { decodeVtdCapabilities } from './vtd-capabilities.ts'

describe('decodeVtdCapabilities', () => {
  test("reads QEMU's IOMMU of 39 bits", () => {
    // As QEMU 7.2 gives them for intel-iommu,intremap=on,caching-mode=on,device-iotlb=on.
    expect(decodeVtdCapabilities(1, 0xd2_008c_2226_0286n, 0xf0_0f4en)).toMatchObject({
      erratum772415: true,
      domains: 65536,
      addressWidth: 39,
      tableWidths: [39],
      largePages: [2 ** 21, 2 ** 30],
      cachingMode: true,
      postedInterrupts: false,
      coherent: false,
      snoopControl: false,
      deviceTlb: true,
      interruptRemapping: true,
      passThrough: true,
      scalableMode: false,
      nesting: false,
      dirtyBits: false,
      pasidBits: 0,
    })
  })

  test.each([
    ['domains', 0x2n, 0n, 256],
    ['tableWidths', 0b01110n << 8n, 0n, [39, 48, 57]],
    ['postedInterrupts', 1n << 59n, 0n, true],
    ['coherent', 0n, 1n, true],
    ['snoopControl', 0n, 1n << 7n, true],
    ['nesting', 0n, 1n << 26n, true],
    ['pageRequests', 0n, 1n << 29n, true],
    ['scalableMode', 0n, 1n << 43n, true],
    ['dirtyBits', 0n, 1n << 45n, true],
    ['secondStage', 0n, 1n << 46n, true],
    ['firstStage', 0n, 1n << 47n, true],
    ['pasidBits', 0n, (1n << 40n) | (19n << 35n), 20],
  ] as const)('finds %s', (name, capability, extended, value) => {
    const decoded = decodeVtdCapabilities(0, capability, extended)
    expect(decoded[name]).toEqual(value)
    expect(decodeVtdCapabilities(0, 0n, 0n)[name]).not.toEqual(value)
  })
})
