import { isOpenbarError } from '@openbar/linux/errors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferAccess } from './buffer-access.ts'
import type { RegisterAccess } from './register-access.ts'
import { WindowAccess } from './window-access.ts'

const kinds: readonly [string, () => RegisterAccess][] = [
  ['BufferAccess', () => new BufferAccess(new Uint8Array(32))],
  ['BufferAccess on a part of a buffer', () => new BufferAccess(new Uint8Array(new ArrayBuffer(64), 8, 32))],
  ['WindowAccess', () => new WindowAccess(new BufferAccess(new ArrayBuffer(64)), 16, 32)],
]

describe.each(kinds)('%s', (_, open) => {
  it('is little-endian in all widths', () => {
    const access = open()
    access.write64(8, 0x8877_6655_4433_2211n)
    expect([access.read8(8), access.read16(8), access.read32(12)]).toEqual([0x11, 0x2211, 0x88776655])
    access.write32(8, 0xdeadbeef)
    access.write16(12, 0xcafe)
    access.write8(14, 0x42)
    expect(access.read64(8)).toBe(0x8842_cafe_dead_beefn)
  })

  it('takes what bit operators make of bit 31, and gives it back unsigned', () => {
    const access = open()
    access.write32(0, 1 << 31)
    access.write64(8, -1n)
    expect([access.read32(0), access.read64(8)]).toEqual([0x8000_0000, 0xffff_ffff_ffff_ffffn])
  })

  it('throws a code for every access that is not inside and aligned', () => {
    const access = open()
    const width = fc.constantFrom(1, 2, 4, 8)
    const offset = fc.oneof(fc.integer({ min: -40, max: 80 }), fc.double(), fc.integer())
    fc.assert(
      fc.property(width, offset, (bytes, at) => {
        const legal = Number.isInteger(at) && at >= 0 && at + bytes <= 32 && at % bytes === 0
        for (const call of calls(access, bytes, at)) {
          const code = codeOf(call)
          if (legal) expect(code).toBe('none')
          else if (!Number.isInteger(at)) expect(code).toBe('ERR_INVALID_ARGUMENT')
          else expect(code).toBe(at < 0 || at + bytes > 32 ? 'ERR_OUT_OF_BOUNDS' : 'ERR_MISALIGNED')
        }
      }),
    )
  })

  it('says where and how large', () => {
    expect(() => open().read32(0x20)).toThrow('A 4-byte access at 0x20 is outside the region, which has 0x20 bytes.')
    expect(() => open().read16(3)).toThrow(/A 2-byte access at 0x3 is not aligned to 2 bytes/)
  })
})

describe('construction', () => {
  it('refuses what holds no bytes, and windows that do not fit', () => {
    // @ts-expect-error a wrong type is the point
    expect(() => new BufferAccess('00 11')).toThrow(/bytes must be a Uint8Array/)
    const below = new BufferAccess(new Uint8Array(16))
    expect(() => new WindowAccess(below, 8, 9)).toThrow(/size must be a number of bytes from 0 to 8/)
    expect(() => new WindowAccess(below, 17, 0)).toThrow(/start/)
  })
})

function calls(access: RegisterAccess, bytes: number, at: number): (() => unknown)[] {
  if (bytes === 1) return [() => access.read8(at), () => access.write8(at, 1)]
  if (bytes === 2) return [() => access.read16(at), () => access.write16(at, 1)]
  if (bytes === 4) return [() => access.read32(at), () => access.write32(at, 1)]
  return [() => access.read64(at), () => access.write64(at, 1n)]
}

function codeOf(call: () => unknown): string {
  try {
    call()
    return 'none'
  } catch (error) {
    return isOpenbarError(error) ? error.code : String(error)
  }
}
