import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dirtyRanges, emptyBitmap, markRange } from './dirty-bitmap.ts'

const pagesWritten = fc.array(fc.boolean(), { minLength: 1, maxLength: 300 })
const pageSizes = fc.constantFrom(2048, 4096, 2 ** 21)
const starts = fc.nat({ max: 2 ** 20 })

/** A bitmap of single pages, and addresses of the written ones. */
function bitmapOf(written: readonly boolean[], pageSize: number, start: number) {
  const iova = BigInt(start) * BigInt(pageSize)
  const bitmap = emptyBitmap(iova, written.length * pageSize, pageSize)
  const addresses = written.flatMap((dirty, page) => (dirty ? [iova + BigInt(page) * BigInt(pageSize)] : []))
  for (const address of addresses) markRange(bitmap, { iova: address, size: pageSize })
  return { bitmap, addresses }
}

describe('dirtyRanges', () => {
  test('covers each written page once and no other, in ranges that do not touch', () => {
    fc.assert(
      fc.property(pagesWritten, pageSizes, starts, (written, pageSize, start) => {
        const { bitmap, addresses } = bitmapOf(written, pageSize, start)
        const ranges = dirtyRanges(bitmap)
        const covered = ranges.flatMap(({ iova, size }) =>
          Array.from({ length: size / pageSize }, (_, page) => iova + BigInt(page * pageSize)),
        )
        expect(covered).toEqual(addresses)
        for (const [index, { iova, size }] of ranges.entries()) {
          const next = ranges[index + 1]
          if (next !== undefined) expect(next.iova).toBeGreaterThan(iova + BigInt(size))
        }
      }),
    )
  })

  test('marks what it finds: marking the ranges of a bitmap in an empty one gives the same bits', () => {
    fc.assert(
      fc.property(pagesWritten, pageSizes, starts, (written, pageSize, start) => {
        const { bitmap } = bitmapOf(written, pageSize, start)
        const again = emptyBitmap(bitmap.iova, bitmap.size, pageSize)
        for (const range of dirtyRanges(bitmap)) markRange(again, range)
        expect(again.bits).toEqual(bitmap.bits)
      }),
    )
  })

  test('takes no notice of bits beyond the range', () => {
    const bitmap = emptyBitmap(0x1000n, 3 * 4096, 4096)
    bitmap.bits.fill(0xffff_ffff)
    expect(dirtyRanges(bitmap)).toEqual([{ iova: 0x1000n, size: 3 * 4096 }])
  })

  test('joins words that are all set, and finds a lone page far behind', () => {
    const bitmap = emptyBitmap(0n, 4096 * 4096, 4096)
    bitmap.bits.fill(0xffff_ffff, 1, 5)
    bitmap.bits[100] = 1 << 31
    expect(dirtyRanges(bitmap)).toEqual([
      { iova: 32n * 4096n, size: 128 * 4096 },
      { iova: (3200n + 31n) * 4096n, size: 4096 },
    ])
  })

  test('has whole words of 64 bits for the kernel', () => {
    const lengths = [1, 64, 65, 128, 129].map((pages) => emptyBitmap(0n, pages * 4096, 4096).bits.byteLength)
    expect(lengths).toEqual([8, 8, 16, 16, 24])
  })
})
