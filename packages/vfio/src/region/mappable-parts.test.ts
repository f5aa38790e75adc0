import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mappableParts } from './mappable-parts.ts'
import { msixHoles } from './msix-holes.ts'

const KIB = 1024
const area = (offset: number, size: number) => ({ offset, size })

describe('mappableParts', () => {
  it('is the whole region when nothing stands against it', () => {
    expect(mappableParts(128 * KIB, [area(0, 128 * KIB)])).toEqual([area(0, 128 * KIB)])
  })

  it('counts the last page as whole: a region smaller than a page is mapped', () => {
    expect(mappableParts(256, [area(0, 256)])).toEqual([area(0, 256)])
    expect(mappableParts(4096 + 24, [area(0, 4096 + 24)])).toEqual([area(0, 4096 + 24)])
  })

  it('leaves out the pages that hold the MSI-X table and the pending bits', () => {
    const msix = {
      kind: 'msix',
      enable: false,
      functionMask: false,
      tableSize: 5,
      table: { bar: 3, offset: 0 },
      pendingBits: { bar: 3, offset: 0x2000 },
    } as const
    expect(msixHoles(msix, 3)).toEqual([area(0, 80), area(0x2000, 8)])
    expect(msixHoles(msix, 0)).toEqual([])
    const parts = mappableParts(16 * KIB, [area(0, 16 * KIB)], msixHoles(msix, 3))
    expect(parts).toEqual([area(0x1000, 0x1000), area(0x3000, 0x1000)])
  })

  it('is nothing when the hole is everything', () => {
    expect(mappableParts(4096, [area(0, 4096)], [area(8, 1)])).toEqual([])
    expect(mappableParts(16 * KIB, [])).toEqual([])
  })

  it('takes areas in any order, joins those that touch, and drops what is no whole page', () => {
    const areas = [area(0x3000, 0x1000), area(0x100, 0x100), area(0x1000, 0x2000), area(0x6000, 0x1800)]
    expect(mappableParts(0x8000, areas)).toEqual([area(0x1000, 0x3000), area(0x6000, 0x1000)])
  })

  it('maps a page exactly when all of it is allowed and none of it is a hole', () => {
    const pages = fc.integer({ min: 1, max: 12 })
    const some = fc.array(fc.tuple(fc.nat(12 * 4096), fc.nat(5 * 4096)), { maxLength: 4 })
    fc.assert(
      fc.property(pages, some, some, (count, allowed, forbidden) => {
        const size = count * 4096
        const clip = ([offset, bytes]: [number, number]) =>
          area(Math.min(offset, size), Math.min(bytes, size - Math.min(offset, size)))
        const areas = allowed.map(clip)
        const holes = forbidden.map(clip).filter((hole) => hole.size > 0)
        const parts = mappableParts(size, areas, holes)
        for (let page = 0; page < count; page += 1) {
          const [start, end] = [page * 4096, (page + 1) * 4096]
          const inAreas = areas.some((each) => each.offset <= start && each.offset + each.size >= end)
          const inHole = holes.some((each) => each.offset < end && each.offset + each.size > start)
          const mapped = parts.some((each) => each.offset <= start && each.offset + each.size >= end)
          expect(mapped).toBe(inAreas && !inHole)
        }
        for (const [index, part] of parts.entries()) {
          expect(part.size).toBeGreaterThan(0)
          const before = parts[index - 1]
          if (before !== undefined) expect(part.offset).toBeGreaterThan(before.offset + before.size)
        }
      }),
    )
  })
})
