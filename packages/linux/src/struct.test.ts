import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOf } from './ffi/libc.ts'
import { defineStruct, type FieldType } from './struct.ts'
import { thrownBy } from './testing/thrown-by.ts'

const BITS: Record<FieldType, { size: number; min: bigint; max: bigint }> = {
  u8: { size: 1, min: 0n, max: 2n ** 8n - 1n },
  u16: { size: 2, min: 0n, max: 2n ** 16n - 1n },
  u32: { size: 4, min: 0n, max: 2n ** 32n - 1n },
  s32: { size: 4, min: -(2n ** 31n), max: 2n ** 31n - 1n },
  u64: { size: 8, min: 0n, max: 2n ** 64n - 1n },
}
const TYPES = Object.keys(BITS) as FieldType[]

/** A type, an offset (aligned or not) and a value that fits. */
const field = fc.constantFrom(...TYPES).chain((type) =>
  fc.record({
    type: fc.constant(type),
    offset: fc.nat({ max: 40 }),
    value: fc.bigInt({ min: BITS[type].min, max: BITS[type].max }),
  }),
)

/** The little-endian, two's complement bytes of a value, worked out by hand. */
function bytesOf(type: FieldType, value: bigint): number[] {
  return Array.from({ length: BITS[type].size }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn))
}

// The tests name fields at run time, so they look at a struct as a plain record.
function allocate(type: FieldType, offset: number, size: number, extra = 0) {
  const struct = defineStruct('test', size, { value: [type, offset] })
  const made = struct.allocate(extra)
  return { made, fields: made as unknown as Record<string, number | bigint> }
}

describe('defineStruct', () => {
  test('puts a value at its offset, little-endian, touches no other byte, and reads it back', () => {
    fc.assert(
      fc.property(field, fc.nat({ max: 8 }), fc.nat(255), ({ type, offset, value }, tail, filler) => {
        const { made, fields } = allocate(type, offset, offset + BITS[type].size + tail)
        made.bytes.fill(filler)
        const expected = [...made.bytes]
        expected.splice(offset, BITS[type].size, ...bytesOf(type, value))
        fields['value'] = type === 'u64' ? value : Number(value)
        expect([...made.bytes]).toEqual(expected)
        expect(fields['value']).toBe(type === 'u64' ? value : Number(value))
      }),
    )
  })

  test('refuses every value that does not fit, and changes nothing then', () => {
    const outside = fc.constantFrom(...TYPES).chain((type) =>
      fc.record({
        type: fc.constant(type),
        value: fc.oneof(
          fc.bigInt({ min: BITS[type].max + 1n, max: 2n ** 80n }),
          fc.bigInt({ min: -(2n ** 80n), max: BITS[type].min - 1n }),
        ),
        asNumber: fc.boolean(),
      }),
    )
    fc.assert(
      fc.property(outside, ({ type, value, asNumber }) => {
        // As a number too, unless rounding brings it back into the range.
        const rounded = Number(value)
        const usable = asNumber && (BigInt(rounded) > BITS[type].max || BigInt(rounded) < BITS[type].min)
        const { made, fields } = allocate(type, 0, 8)
        const error = thrownBy(() => {
          fields['value'] = usable ? rounded : value
        })
        expect(error.code).toBe('ERR_INVALID_ARGUMENT')
        expect(error.message).toContain('test.value')
        expect([...made.bytes]).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
      }),
    )
  })

  test.each([
    ['2^64, to which the largest u64 rounds', 'u64', 2 ** 64],
    ['a fraction', 'u32', 1.5],
    ['NaN', 'u32', Number.NaN],
    ['infinity', 'u64', Number.POSITIVE_INFINITY],
    ['minus one', 'u8', -1],
  ] as const)('refuses %s', (_, type, value) => {
    const { fields } = allocate(type, 0, 8)
    expect(
      thrownBy(() => {
        fields['value'] = value
      }).context,
    ).toEqual({ argument: 'test.value', value })
  })

  test.each([
    ['u32', 5],
    ['u64', 1],
    ['u8', 8],
    ['u16', -1],
  ] as const)('refuses a %s at offset %i of 8 bytes', (type, offset) => {
    const error = thrownBy(() => defineStruct('small', 8, { field: [type, offset] }))
    expect(error.code).toBe('ERR_INVALID_ARGUMENT')
    expect(error.message).toContain('small.field')
    expect(error.message).toContain('8 bytes')
  })

  test('adds room behind the fixed part, all zero, and shares it between bytes and view', () => {
    const struct = defineStruct('tailed', 12, { argsz: ['u32', 0] })
    const made = struct.allocate(8)
    expect(made.bytes).toEqual(new Uint8Array(20))
    made.view.setUint32(16, 0xaabb_ccdd, true)
    expect([...made.bytes.subarray(16)]).toEqual([0xdd, 0xcc, 0xbb, 0xaa])
  })

  test('makes structs that share nothing', () => {
    const struct = defineStruct('pair', 4, { value: ['u32', 0] })
    const [a, b] = [struct.allocate(), struct.allocate()]
    a.value = 7
    expect([a.value, b.value]).toEqual([7, 0])
  })
})

describe('a fixed struct', () => {
  const struct = defineStruct('fixed', 24, { argsz: ['u32', 0], iova: ['u64', 8], size: ['u64', 16] })

  test('is all zero, and its fields, bytes, view and words are the same memory', () => {
    const made = struct.fixed()
    expect([...made.bytes]).toEqual(new Array(24).fill(0))
    made.argsz = 24
    made.iova = 0x1_2345_6789n
    expect([...made.words]).toEqual([24, 0, 0x2345_6789, 1, 0, 0])
    made.words[4] = 4096
    expect([made.size, made.view.getUint32(16, true), made.bytes[17]]).toEqual([4096n, 4096, 0x10])
  })

  test('checks its fields as every struct does', () => {
    const made = struct.fixed()
    expect(thrownBy(() => Object.assign(made, { argsz: 2 ** 32 })).code).toBe('ERR_INVALID_ARGUMENT')
    expect(made.argsz).toBe(0)
  })

  test('stands at its address, which is a small integer, aligned for every field', () => {
    const [a, b] = [struct.fixed(), struct.fixed()]
    for (const made of [a, b]) {
      expect(made.address).toBe(Number(addressOf(made.bytes)))
      expect(made.address).toBeLessThan(2 ** 31)
      expect(made.address % 8).toBe(0)
    }
    a.iova = 7n
    expect(b.iova).toBe(0n)
    expect(Math.abs(a.address - b.address)).toBeGreaterThanOrEqual(24)
  })
})
