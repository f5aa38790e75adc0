import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { END_OF_SPACE, toInclusive, wholeUnits } from './span.ts'

const MAX = 2n ** 64n - 1n

describe('wholeUnits', () => {
  test('is the largest span of whole units in the range', () => {
    const bounds = fc.tuple(fc.bigInt({ min: 0n, max: MAX }), fc.bigInt({ min: 0n, max: 0x10_0000n }))
    const unit = fc.constantFrom(4096, 65_536)
    fc.assert(
      fc.property(bounds, unit, ([start, length], unit) => {
        const last = start + length > MAX ? MAX : start + length
        const size = BigInt(unit)
        const span = wholeUnits({ start, last }, unit)
        // The units that lie in the range, found one by one.
        const units: bigint[] = []
        for (let at = (start / size) * size; at <= last; at += size) {
          if (at >= start && at + size - 1n <= last) units.push(at)
        }
        const [first, end] = [units[0], units.at(-1)]
        expect(span).toEqual(
          first === undefined || end === undefined ? undefined : { start: Number(first), end: Number(end + size) },
        )
      }),
    )
  })

  test.each([
    ['all that there is', 0n, MAX, { start: 0, end: END_OF_SPACE }],
    ['the last page', MAX - 4095n, MAX, { start: 2 ** 64 - 4096, end: END_OF_SPACE }],
    ['a page and a byte on either side', 0xfffn, 0x2000n, { start: 0x1000, end: 0x2000 }],
    ['all of a page but a byte', 0x1001n, 0x1fffn, undefined],
    ['two halves of pages', 0x1800n, 0x27ffn, undefined],
    ['a single byte', 0n, 0n, undefined],
  ])('%s', (_, start, last, span) => {
    expect(wholeUnits({ start, last })).toEqual(span)
  })
})

test('toInclusive gives back the range, up to the end of the space', () => {
  for (const range of [
    { start: 0n, last: MAX },
    { start: 0xfef0_0000n, last: 0x7f_ffff_ffffn },
    { start: MAX - 4095n, last: MAX },
  ]) {
    expect(toInclusive(wholeUnits(range)!)).toEqual(range)
  }
})
