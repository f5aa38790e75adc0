import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IovaAllocator, type Placement } from './iova-allocator.ts'
import type { Span } from './span.ts'
import { thrownBy } from './testing/thrown-by.ts'

const PAGE = 4096
const PAGES = 48
const FIRST_PLACED = 0x100_0000

/** The same as the allocator, as a list of pages. */
class Model {
  readonly #base: number
  #usable: Span[] = []
  readonly #used = new Array<boolean>(PAGES).fill(false)

  constructor(base: number) {
    this.#base = base
  }

  /** Cuts the universe into ranges: a page's number says to which it belongs, 0 to none; touching ones differ. */
  setUsable(owners: readonly number[]): Span[] {
    this.#usable = this.#runs((page) => owners[page] ?? 0)
    return this.#usable
  }

  use(page: number, count: number, value: boolean): void {
    this.#used.fill(value, page, page + count)
  }

  isUsed(page: number, count: number): boolean {
    return this.#used.slice(page, page + count).includes(true)
  }

  inUse(): Span[] {
    return this.#runs((page) => (this.#used[page] ? 1 : 0))
  }

  free(): Span[] {
    return this.#runs((page) => (this.#used[page] ? 0 : this.#owner(page)))
  }

  place({ size, align, limit = 2 ** 64 }: Placement): number | undefined {
    for (let page = 0; page < PAGES; page += 1) {
      const start = this.address(page)
      const pages = Array.from({ length: size / PAGE }, (_, index) => page + index)
      const owner = this.#owner(page)
      if (
        start >= FIRST_PLACED &&
        start % align === 0 &&
        start + size <= limit &&
        owner !== 0 &&
        pages.every((each) => each < PAGES && !this.#used[each] && this.#owner(each) === owner)
      ) {
        return start
      }
    }
    return undefined
  }

  address(page: number): number {
    return this.#base + page * PAGE
  }

  #owner(page: number): number {
    const address = this.address(page)
    return this.#usable.findIndex(({ start, end }) => address >= start && address < end) + 1
  }

  #runs(keyOf: (page: number) => number): Span[] {
    const runs: Span[] = []
    for (let page = 0; page < PAGES; page += 1) {
      const key = keyOf(page)
      if (key === 0) continue
      let end = page
      while (end + 1 < PAGES && keyOf(end + 1) === key) end += 1
      runs.push({ start: this.address(page), end: this.address(end) + PAGE })
      page = end
    }
    return runs
  }
}

const pages = fc.integer({ min: 1, max: 9 })
const page = fc.nat({ max: PAGES - 1 })
/** For each page the range that it lies in: runs of some length, 0 for pages that are not usable. */
const owners = fc
  .array(fc.tuple(fc.nat({ max: 2 }), fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 8 })
  .map((runs) => runs.flatMap(([owner, length]) => new Array<number>(length).fill(owner)))

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('place' as const),
      pages,
      align: fc.constantFrom(1, 2, 4, 8),
      upTo: fc.option(page, { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reserve' as const), page, pages }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('usable' as const), owners }) },
)

describe('IovaAllocator', () => {
  test.each([
    ['around the first address that is picked', FIRST_PLACED - 8 * PAGE],
    ['up to the last address there is', 2 ** 64 - PAGES * PAGE],
    ['from address 0', 0],
  ])('does what a list of pages does, %s', (_, base) => {
    let placed = 0
    fc.assert(
      fc.property(owners, fc.array(step, { maxLength: 60, size: 'max' }), (first, steps) => {
        const model = new Model(base)
        const allocator = new IovaAllocator(model.setUsable(first), { [Symbol.iterator]: () => model.inUse().values() })
        const taken: [page: number, count: number][] = []
        const take = (start: number, count: number) => {
          model.use(start, count, true)
          allocator.reserve(model.address(start), model.address(start + count))
          taken.push([start, count])
        }
        for (const each of steps) {
          if (each.kind === 'place') {
            const wanted = {
              size: each.pages * PAGE,
              align: each.align * PAGE,
              ...(each.upTo === undefined ? {} : { limit: model.address(each.upTo) + PAGE }),
            }
            const expected = model.place(wanted)
            if (expected === undefined) {
              expect(thrownBy(() => allocator.place(wanted)).code).toBe('ERR_IOVA_EXHAUSTED')
            } else {
              expect(allocator.place(wanted)).toBe(expected)
              take((expected - base) / PAGE, each.pages)
              placed += 1
            }
          } else if (each.kind === 'reserve') {
            const count = Math.min(each.pages, PAGES - each.page)
            if (!model.isUsed(each.page, count)) take(each.page, count)
          } else if (each.kind === 'release') {
            const [range] = taken.splice(each.which % Math.max(taken.length, 1), 1)
            if (range !== undefined) {
              model.use(...range, false)
              allocator.release(model.address(range[0]), model.address(range[0] + range[1]))
            }
          } else {
            allocator.setUsable(model.setUsable(each.owners))
          }
          // The list is canonical: no empty, no touching, no unordered interval, and nothing that is not free.
          expect(allocator.free).toEqual(model.free())
        }
      }),
      { numRuns: 400 },
    )
    // Below the first address nothing is ever picked.
    if (base === 0) expect(placed).toBe(0)
    else expect(placed).toBeGreaterThan(500)
  })

  test('does not join what is free across the edge of two ranges that touch', () => {
    const ranges = [
      { start: 0x100_0000, end: 0x100_2000 },
      { start: 0x100_2000, end: 0x100_4000 },
    ]
    const allocator = new IovaAllocator(ranges, [])
    expect(allocator.free).toEqual(ranges)
    allocator.reserve(0x100_1000, 0x100_3000)
    allocator.release(0x100_1000, 0x100_3000)
    expect(allocator.free).toEqual(ranges)
    expect(thrownBy(() => allocator.place({ size: 0x4000, align: PAGE })).code).toBe('ERR_IOVA_EXHAUSTED')
  })

  test('says how much was wanted and what is free', () => {
    const allocator = new IovaAllocator([{ start: 0x100_0000, end: 0x100_1000 }], [])
    const error = thrownBy(() => allocator.place({ size: 0x2000, align: PAGE, limit: 2 ** 32 }))
    expect(error).toMatchObject({
      code: 'ERR_IOVA_EXHAUSTED',
      context: { size: 0x2000n, ranges: [{ start: 0x100_0000n, last: 0x100_0fffn }] },
    })
    expect(error.message).toContain('8192 bytes, aligned to 4096, is left up to 0xffffffff')
    // The error keeps what was free then.
    allocator.reserve(0x100_0000, 0x100_1000)
    expect(error.context).toMatchObject({ ranges: [{ start: 0x100_0000n, last: 0x100_0fffn }] })
  })
})
