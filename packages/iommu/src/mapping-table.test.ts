import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Mapping } from './mapping.ts'
import { MappingTable } from './mapping-table.ts'

function mapping(start: number, pages: number): Mapping {
  const size = pages * 4096
  const iova = BigInt(start) * 4096n
  return { iova, last: iova + BigInt(size) - 1n, size, access: 'read-write', memory: { address: 0n, size } }
}

const range = fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 8 }))
const step = fc.tuple(fc.constantFrom('add', 'remove', 'look'), range, fc.nat())

describe('MappingTable', () => {
  test('does what an unsorted list does', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const table = new MappingTable()
        const list: Mapping[] = []
        const overlapping = (probe: Mapping) =>
          list
            .filter(({ iova, last }) => iova <= probe.last && last >= probe.iova)
            .sort((a, b) => Number(a.iova - b.iova))
        for (const [kind, [start, pages], which] of steps) {
          const probe = mapping(start, pages)
          const expected = overlapping(probe)
          expect(table.overlapping(probe.iova, probe.last)).toBe(expected[0])
          expect(table.allOverlapping(probe.iova, probe.last)).toEqual(expected)
          if (kind === 'add' && expected.length === 0) {
            table.add(probe)
            list.push(probe)
          }
          if (kind === 'remove' && list.length > 0) table.remove(list.splice(which % list.length, 1)[0]!)
          expect(table.size).toBe(list.length)
          expect([...table]).toEqual([...list].sort((a, b) => Number(a.iova - b.iova)))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('looks at single bytes too', () => {
    const table = new MappingTable()
    const only = mapping(2, 1)
    table.add(only)
    expect(table.overlapping(0x2fffn, 0x2fffn)).toBe(only)
    expect(table.overlapping(0x1fffn, 0x2000n)).toBe(only)
    expect(table.allOverlapping(0x1fffn, 0x2000n)).toEqual([only])
    expect(table.overlapping(0x3000n, 0x3000n)).toBeUndefined()
    expect(table.overlapping(0x1fffn, 0x1fffn)).toBeUndefined()
  })

  test('removes a mapping by identity, not by its address', () => {
    const table = new MappingTable()
    table.add(mapping(2, 1))
    table.remove(mapping(2, 1))
    expect(table.size).toBe(1)
  })
})
