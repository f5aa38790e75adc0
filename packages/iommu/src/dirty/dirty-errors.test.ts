import { describe, expect, test } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { checkDirtyRange } from './dirty-errors.ts'

describe('checkDirtyRange', () => {
  test('takes whole pages up to the last there is', () => {
    expect(checkDirtyRange(0x1000, 8192, 4096)).toBe(0x1000n)
    expect(checkDirtyRange(0xffff_ffff_ffff_f000n, 4096, 4096)).toBe(0xffff_ffff_ffff_f000n)
  })

  test.each([
    ['a cut page at the start', 0x1800, 4096, 4096, 'ERR_IOVA_ALIGNMENT'],
    ['a cut page at the end', 0x1000, 6144, 4096, 'ERR_IOVA_ALIGNMENT'],
    ['no bytes', 0x1000, 0, 4096, 'ERR_INVALID_ARGUMENT'],
    ['a page size that is no power of two', 0x3000, 12288, 12288, 'ERR_INVALID_ARGUMENT'],
    ['a page size of nothing', 0x3000, 4096, 0, 'ERR_INVALID_ARGUMENT'],
    ['what goes past 2^64', 0xffff_ffff_ffff_f000n, 8192, 4096, 'ERR_INVALID_ARGUMENT'],
    ['more pages than a bitmap has bits', 0, 2 ** 31 * 4096, 4096, 'ERR_INVALID_ARGUMENT'],
  ])('refuses %s', (_, iova, size, pageSize, code) => {
    expect(thrownBy(() => checkDirtyRange(iova, size, pageSize)).code).toBe(code)
  })
})
