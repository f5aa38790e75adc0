import { beforeEach, describe, expect, test } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { dirtyRanges } from './dirty-bitmap.ts'
import { PageTableDirtyTracking } from './page-table-dirty-tracking.ts'

const PAGE = 4096

/** A table whose devices have written the first page of each part that is read. */
class FakeTable {
  readonly id = 7
  tracking = false
  readonly calls: string[] = []

  setDirtyTracking(on: boolean): void {
    this.tracking = on
    this.calls.push(on ? 'on' : 'off')
  }

  dirtyPages(iova: bigint | number, size: number) {
    this.calls.push(`0x${iova.toString(16)}+${size / PAGE}`)
    return [{ iova: BigInt(iova), size: PAGE }]
  }
}

describe('PageTableDirtyTracking', () => {
  // Two mappings that touch, a gap, and a third.
  const mappings = [
    { iova: 0x1000n, size: 2 * PAGE },
    { iova: 0x3000n, size: PAGE },
    { iova: 0x8000n, size: 4 * PAGE },
  ]
  let table: FakeTable
  let tracking: PageTableDirtyTracking

  beforeEach(() => {
    table = new FakeTable()
    tracking = new PageTableDirtyTracking(table, () => mappings)
  })

  test('starts and stops once', () => {
    tracking.start()
    tracking.start()
    expect(tracking.on).toBe(true)
    tracking.stop()
    tracking.stop()
    expect(table.calls).toEqual(['on', 'off'])
  })

  test('reads around gaps, since the table stops at one', () => {
    tracking.start()
    expect(tracking.read(0, 16 * PAGE)).toEqual([
      { iova: 0x1000n, size: PAGE },
      { iova: 0x8000n, size: PAGE },
    ])
    expect(table.calls).toEqual(['on', '0x1000+3', '0x8000+4'])
  })

  test('gives the same as a bitmap of the whole range', () => {
    tracking.start()
    const bitmap = tracking.readBitmap(0, 16 * PAGE)
    expect(bitmap).toMatchObject({ iova: 0n, size: 16 * PAGE, pageSize: PAGE })
    expect(dirtyRanges(bitmap)).toEqual([
      { iova: 0x1000n, size: PAGE },
      { iova: 0x8000n, size: PAGE },
    ])
  })

  test('reads nothing where nothing is mapped', () => {
    tracking.start()
    expect(tracking.read(0x4000, 4 * PAGE)).toEqual([])
    expect(table.calls).toEqual(['on'])
  })

  test('refuses a range that cuts a mapping before it reads any of it', () => {
    tracking.start()
    const error = thrownBy(() => tracking.read(0x1000, 8 * PAGE))
    expect(error.code).toBe('ERR_NOT_MAPPED')
    expect(error.message).toContain('cuts the mapping 0x8000-0xbfff')
    expect(thrownBy(() => tracking.read(0x2000, 2 * PAGE)).code).toBe('ERR_NOT_MAPPED')
    expect(table.calls).toEqual(['on'])
  })

  test('refuses to read while it is off', () => {
    expect(thrownBy(() => tracking.read(0x1000, 3 * PAGE))).toMatchObject({
      code: 'ERR_DOMAIN_STATE',
      context: { state: 'dirty tracking is off' },
    })
  })
})
