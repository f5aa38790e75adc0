import type { InclusiveRange } from '@openbar/linux'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IovaAllocator, type PlacementOptions } from './iova-allocator.ts'
import { thrownBy } from './testing/thrown-by.ts'

const PAGE = 4096n
const PAGES = 48
const FIRST_PLACED = 0x100_0000n

/** The same as the allocator, as a list of pages. */
class Model {
  readonly #base: bigint
  #usable: InclusiveRange[] = []
  readonly #used = new Array<boolean>(PAGES).fill(false)

  constructor(base: bigint) {
    this.#base = base
  }

  /** Cuts the universe into ranges: a page's number says to which it belongs, 0 to none; touching ones differ. */
  setUsable(owners: readonly number[]): InclusiveRange[] {
    this.#usable = this.#runs((page) => owners[page] ?? 0)
    return this.#usable
  }

  use(page: number, count: number, value: boolean): void {
    this.#used.fill(value, page, page + count)
  }

  isUsed(page: number, count: number): boolean {
    return this.#used.slice(page, page + count).includes(true)
  }

  inUse(): InclusiveRange[] {
    return this.#runs((page) => (this.#used[page] ? 1 : 0))
  }

  free(): InclusiveRange[] {
    return this.#runs((page) => (this.#used[page] ? 0 : this.#owner(page)))
  }

  place({ size, align, maxIova = 2n ** 64n }: PlacementOptions): bigint | undefined {
    for (let page = 0; page < PAGES; page += 1) {
      const start = this.address(page)
      const pages = Array.from({ length: Number(size / PAGE) }, (_, index) => page + index)
      const owner = this.#owner(page)
      if (
        start >= FIRST_PLACED &&
        start % align === 0n &&
        start + size - 1n <= maxIova &&
        owner !== 0 &&
        pages.every((each) => each < PAGES && !this.#used[each] && this.#owner(each) === owner)
      ) {
        return start
      }
    }
    return undefined
  }

  address(page: number): bigint {
    return this.#base + BigInt(page) * PAGE
  }

  #owner(page: number): number {
    const address = this.address(page)
    return this.#usable.findIndex(({ start, last }) => address >= start && address <= last) + 1
  }

  #runs(keyOf: (page: number) => number): InclusiveRange[] {
    const runs: InclusiveRange[] = []
    for (let page = 0; page < PAGES; page += 1) {
      const key = keyOf(page)
      if (key === 0) continue
      let end = page
      while (end + 1 < PAGES && keyOf(end + 1) === key) end += 1
      runs.push({ start: this.address(page), last: this.address(end) + PAGE - 1n })
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
      align: fc.constantFrom(1n, 2n, 4n, 8n),
      upTo: fc.option(page, { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reserve' as const), page, pages }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('usable' as const), owners }) },
)

describe('IovaAllocator', () => {
  test.each([
    ['around the first address that is picked', FIRST_PLACED - 8n * PAGE],
    ['up to the last address there is', 2n ** 64n - BigInt(PAGES) * PAGE],
    ['from address 0', 0n],
  ])('does what a list of pages does, %s', (_, base) => {
    let placed = 0
    fc.assert(
      fc.property(owners, fc.array(step, { maxLength: 60, size: 'max' }), (first, steps) => {
        const model = new Model(base)
        const allocator = new IovaAllocator(model.setUsable(first))
        const taken: [page: number, count: number][] = []
        const take = (start: number, count: number) => {
          model.use(start, count, true)
          allocator.reserve(model.address(start), BigInt(count) * PAGE)
          taken.push([start, count])
        }
        for (const each of steps) {
          if (each.kind === 'place') {
            const maxIova = each.upTo === undefined ? undefined : model.address(each.upTo) + PAGE - 1n
            const wanted = { size: BigInt(each.pages) * PAGE, align: each.align * PAGE, maxIova }
            const expected = model.place(wanted)
            if (expected === undefined) {
              expect(thrownBy(() => allocator.place(wanted)).code).toBe('ERR_IOVA_EXHAUSTED')
            } else {
              expect(allocator.place(wanted)).toBe(expected)
              take(Number((expected - base) / PAGE), each.pages)
              placed += 1
            }
          } else if (each.kind === 'reserve') {
            const count = Math.min(each.pages, PAGES - each.page)
            if (!model.isUsed(each.page, count)) take(each.page, count)
          } else if (each.kind === 'release') {
            const [range] = taken.splice(each.which % Math.max(taken.length, 1), 1)
            if (range !== undefined) {
              model.use(...range, false)
              allocator.release(model.address(range[0]), BigInt(range[1]) * PAGE)
            }
          } else {
            allocator.setUsable(model.setUsable(each.owners), model.inUse())
          }
          // The list is canonical: no empty, no touching, no unordered interval, and nothing that is not free.
          expect(allocator.free).toEqual(model.free())
        }
      }),
      { numRuns: 400 },
    )
    // Below the first address nothing is ever picked.
    if (base === 0n) expect(placed).toBe(0)
    else expect(placed).toBeGreaterThan(500)
  })

  test('does not join what is free across the edge of two ranges that touch', () => {
    const ranges = [
      { start: 0x100_0000n, last: 0x100_1fffn },
      { start: 0x100_2000n, last: 0x100_3fffn },
    ]
    const allocator = new IovaAllocator(ranges)
    allocator.reserve(0x100_1000n, 0x2000n)
    allocator.release(0x100_1000n, 0x2000n)
    expect(allocator.free).toEqual(ranges)
    expect(thrownBy(() => allocator.place({ size: 0x4000n, align: PAGE })).code).toBe('ERR_IOVA_EXHAUSTED')
  })

  test('says how much was wanted and what is free', () => {
    const allocator = new IovaAllocator([{ start: 0x100_0000n, last: 0x100_0fffn }])
    const error = thrownBy(() => allocator.place({ size: 0x2000n, align: PAGE, maxIova: 0xffff_ffffn }))
    expect(error).toMatchObject({
      code: 'ERR_IOVA_EXHAUSTED',
      context: { size: 0x2000n, ranges: [{ start: 0x100_0000n, last: 0x100_0fffn }] },
    })
    expect(error.message).toContain('8192 bytes, aligned to 4096, is left up to 0xffffffff')
    // The error keeps what was free then.
    allocator.reserve(0x100_0000n, PAGE)
    expect(error.context).toMatchObject({ ranges: [{ start: 0x100_0000n, last: 0x100_0fffn }] })
  })
})
