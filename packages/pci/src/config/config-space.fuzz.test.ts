import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferAccess } from '../access/buffer-access.ts'
import { configBytes, e1000eDump, rootPortDump } from '../testing/config-dumps.ts'
import type { Capability, ExtendedCapability } from './capability-decoders.ts'
import type { CapabilityList } from './capability-list.ts'
import { ConfigSpace } from './config-space.ts'

function checkList(list: CapabilityList<Capability> | CapabilityList<ExtendedCapability>, size: number): void {
  const offsets = list.items.map((item) => item.offset)
  expect(new Set(offsets).size).toBe(offsets.length)
  for (const item of list) {
    expect(item.offset % 4).toBe(0)
    expect(item.extent).toBeGreaterThan(0)
    expect(item.offset + item.extent).toBeLessThanOrEqual(size)
    expect(item.bytes.length).toBe(item.extent)
  }
  if (list.broken !== undefined) expect(list.broken.code).toBe('ERR_CONFIG_SPACE')
}

/** Everything that can be read, so that nothing can hide a crash. */
function checkAll(bytes: Uint8Array): void {
  const config = new ConfigSpace(new BufferAccess(bytes))
  expect(config.baseAddresses.length).toBeLessThanOrEqual(6)
  expect(config.classCode).toBeLessThanOrEqual(0xff_ffff)
  checkList(config.capabilities(), Math.min(256, bytes.length))
  checkList(config.extendedCapabilities(), bytes.length)
}

describe('config space of any content', () => {
  it('is read without crash or endless loop when random', () => {
    const sizes = fc.constantFrom(64, 128, 256, 260, 4096)
    const content = sizes.chain((size) => fc.uint8Array({ minLength: size, maxLength: size }))
    fc.assert(
      fc.property(content, fc.boolean(), (bytes, withList) => {
        // Without these, most random spaces end at the header and test nothing.
        if (withList) bytes.set([0x10, 0x00], 0x06)
        if (withList) bytes[0x0e] = 0
        checkAll(bytes)
      }),
      { numRuns: 500 },
    )
  })

  it('is read when a chain visits every place', () => {
    const bytes = configBytes(e1000eDump).slice()
    for (let offset = 0x40; offset < 0x100; offset += 4) bytes.set([9, offset + 4], offset)
    for (let offset = 0x100; offset < 0x1000; offset += 4)
      bytes.set([0x0b, 0, ((offset + 4) & 0xf) << 4, (offset + 4) >> 4], offset)
    bytes[0x34] = 0x40
    checkAll(bytes)
    expect(new ConfigSpace(new BufferAccess(bytes)).capabilities().items).toHaveLength(48)
    expect(new ConfigSpace(new BufferAccess(bytes)).extendedCapabilities().items).toHaveLength(960)
  })

  it('is read with any bits of a real one flipped', () => {
    const flips = fc.array(fc.nat(0x200 * 8 - 1), { minLength: 1, maxLength: 24 })
    fc.assert(
      fc.property(fc.constantFrom(e1000eDump, rootPortDump), flips, (dump, bits) => {
        const bytes = configBytes(dump).slice()
        for (const bit of bits) bytes[bit >> 3]! ^= 1 << (bit & 7)
        checkAll(bytes)
      }),
      { numRuns: 1000 },
    )
  })

  it('is read when cut anywhere', () => {
    for (let size = 64; size <= 0x180; size++) checkAll(configBytes(e1000eDump).slice(0, size))
  })
})
