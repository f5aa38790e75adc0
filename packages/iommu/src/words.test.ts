import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bigToNumber, fits64, numberToBig, readU64, writePointer, writeU64 } from './words.ts'

/** Every multiple of a page below 2^64. */
const pageAddress = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n }).map((page) => page * 4096n)

describe('words', () => {
  test('convert multiples of a page, and safe integers, both ways without loss', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          pageAddress,
          fc.maxSafeNat().map(BigInt),
          fc.maxSafeNat().map((value) => BigInt(value % 2 ** 33)),
        ),
        (value) => {
          const number = bigToNumber(value)
          expect(number).toBe(Number(value))
          expect(numberToBig(number)).toBe(value)
          const words = new Uint32Array(4)
          writeU64(words, 1, number)
          expect(new DataView(words.buffer).getBigUint64(4, true)).toBe(value)
          expect(readU64(words, 1)).toBe(number)
          expect([words[0], words[3]]).toEqual([0, 0])
          const pointer = new Uint32Array(4)
          writePointer(pointer, 1, number)
          expect(pointer).toEqual(words)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('know what has 64 bits', () => {
    expect([0n, 1n, 2n ** 64n - 1n].map(fits64)).toEqual([true, true, true])
    expect([-1n, 2n ** 64n, -(2n ** 63n), 2n ** 200n].map(fits64)).toEqual([false, false, false, false])
  })
})
