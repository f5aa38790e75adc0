import { describe, expect, test } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { vtdStage1Invalidation, vtdStage1Table } from './page-table-data.ts'

const words = (bytes: Uint8Array) => [...new BigUint64Array(bytes.slice().buffer)]

describe('vtdStage1Table', () => {
  test('fills the struct', () => {
    const { type, bytes } = vtdStage1Table({ pageTable: 0x12_3000, addressWidth: 48, flags: 5 })
    expect(type).toBe(1)
    expect(words(bytes)).toEqual([5n, 0x12_3000n, 48n])
  })

  test.each([
    ['pageTable', { pageTable: 0x123, addressWidth: 48 as const }],
    ['addressWidth', { pageTable: 0, addressWidth: 39 as 48 }],
  ])('refuses a wrong %s', (argument, table) => {
    expect(thrownBy(() => vtdStage1Table(table))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', context: { argument } })
  })
})

describe('vtdStage1Invalidation', () => {
  test('fills one struct for each range', () => {
    const { type, entries } = vtdStage1Invalidation([
      { address: 0x20_0000n, pages: 512, leaf: true },
      { address: 0x1000, pages: 1 },
    ])
    expect(type).toBe(0)
    expect(entries.map(words)).toEqual([
      [0x20_0000n, 512n, 1n],
      [0x1000n, 1n, 0n],
    ])
  })

  test('has the largest number of pages stand for the whole table', () => {
    expect(vtdStage1Invalidation('all').entries.map(words)).toEqual([[0n, 2n ** 64n - 1n, 0n]])
  })

  test.each([
    ['address', { address: 0x800, pages: 1 }],
    ['pages', { address: 0x1000, pages: 0 }],
  ])('refuses a wrong %s', (argument, range) => {
    expect(thrownBy(() => vtdStage1Invalidation([range]))).toMatchObject({ context: { argument } })
  })
})
