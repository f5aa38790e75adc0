import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assertSize, formatRange, MAX_IOVA, toIova } from './iova.ts'
import { thrownBy } from './testing/thrown-by.ts'

describe('toIova', () => {
  test('takes every address of 64 bits, and safe integers', () => {
    const address = fc.oneof(fc.bigInt({ min: 0n, max: MAX_IOVA }), fc.maxSafeNat())
    fc.assert(
      fc.property(address, (value) => {
        expect(toIova(value)).toBe(BigInt(value))
      }),
    )
  })

  test.each([-1, -1n, 1.5, Number.NaN, 2 ** 53, 2n ** 64n, '4096', undefined])('refuses %s', (value) => {
    const error = thrownBy(() => toIova(value as number, 'maxIova'))
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', context: { argument: 'maxIova', value } })
  })
})

test.each([0, -1, 1.5, Number.NaN, 2 ** 53, 4096n, '1'])('assertSize refuses %s', (size) => {
  expect(thrownBy(() => assertSize(size as number))).toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    context: { argument: 'size', value: size },
  })
})

test('formatRange shows both ends', () => {
  expect(formatRange(0x1000_0000n, 4096n)).toBe('0x10000000-0x10000fff')
})
