import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpanList } from './span-list.ts'

interface TestSpan {
  start: number
  end: number
}

const span = (start: number, pages: number): TestSpan => ({ start: start * 4096, end: (start + pages) * 4096 })

const range = fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 8 }))
const step = fc.tuple(fc.constantFrom('add', 'delete', 'look'), range, fc.nat())

/** Does the same to a list of spans and to an unsorted array, and compares what both answer. */
function check(steps: readonly (readonly [string, readonly [number, number], number])[]): void {
  const list = new SpanList<TestSpan>()
  const array: TestSpan[] = []
  const sorted = () => [...array].sort((a, b) => a.start - b.start)
  for (const [kind, [start, pages], which] of steps) {
    const probe = span(start, pages)
    const behind = sorted().filter(({ end }) => end > probe.start)
    expect(list.at(probe.start)).toBe(behind[0])
    expect([...list.from(probe.start)]).toEqual(behind)
    const overlaps = array.some((each) => each.start < probe.end && each.end > probe.start)
    if (kind === 'add' && !overlaps) {
      list.add(probe)
      array.push(probe)
    }
    if (kind === 'delete' && array.length > 0) list.delete(array.splice(which % array.length, 1)[0]!)
    expect(list.size).toBe(array.length)
    expect([...list]).toEqual(sorted())
  }
}

describe('SpanList', () => {
  test('does what an unsorted array does', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80, size: 'max' }), check), { numRuns: 300 })
  })

  test('keeps the order over many chunks, whatever order they come and go in', () => {
    const list = new SpanList<TestSpan>()
    const spans = Array.from({ length: 5000 }, (_, index) => span(index * 2, 1))
    // 1789 has no factor in common with 5000, so this visits each span once, far from the one before.
    const shuffled = spans.map((_, index) => spans[(index * 1789) % spans.length]!)
    for (const each of shuffled) list.add(each)
    expect([...list]).toEqual(spans)
    expect(list.at(spans[2500]!.end)).toBe(spans[2501])
    for (const each of shuffled.slice(0, 4000)) list.delete(each)
    const left = new Set(shuffled.slice(4000))
    expect([...list]).toEqual(spans.filter((each) => left.has(each)))
    for (const each of left) list.delete(each)
    expect([list.size, [...list], list.at(0)]).toEqual([0, [], undefined])
    list.add(spans[7]!)
    expect(list.at(0)).toBe(spans[7])
  })

  test('splits a chunk that is full at any place, and says what overlaps on either side of the cut', () => {
    fc.assert(
      fc.property(fc.nat({ max: 128 }), fc.nat({ max: 128 }), (hole, probe) => {
        const list = new SpanList<TestSpan>()
        const spans = Array.from({ length: 129 }, (_, index) => span(index * 2, 2))
        for (const each of spans) if (each !== spans[hole]) list.add(each)
        expect(list.add(spans[hole]!)).toBeUndefined()
        expect([...list]).toEqual(spans)
        expect(list.add(span(probe * 2 + 1, 1))).toBe(spans[probe])
        expect(list.add(span(probe * 2, 1))).toBe(spans[probe])
        expect(list.delete(spans[probe]!)).toBe(true)
        expect(list.delete(spans[probe]!)).toBe(false)
        expect(list.at(probe * 2 * 4096)).toBe(spans[probe + 1])
        expect(list.size).toBe(128)
      }),
    )
  })

  test('says the first of several that a span overlaps', () => {
    const list = new SpanList<TestSpan>()
    const [first, second] = [span(2, 2), span(6, 1)]
    list.add(first)
    list.add(second)
    expect(list.add(span(3, 8))).toBe(first)
    expect(list.add(span(0, 8))).toBe(first)
    expect(list.add(span(4, 8))).toBe(second)
    expect(list.add(span(4, 2))).toBeUndefined()
  })

  test('looks at single bytes too', () => {
    const list = new SpanList<TestSpan>()
    const only = span(2, 1)
    list.add(only)
    expect(list.at(0x2fff)).toBe(only)
    expect(list.at(0x1fff)).toBe(only)
    expect(list.at(0x3000)).toBeUndefined()
  })

  test('holds the last page there is', () => {
    const list = new SpanList<TestSpan>()
    const last = { start: 2 ** 64 - 4096, end: 2 ** 64 }
    list.add(last)
    expect(list.at(2 ** 64 - 2048)).toBe(last)
    expect(list.at(2 ** 64)).toBeUndefined()
  })

  test('removes a span by identity, not by its address', () => {
    const list = new SpanList<TestSpan>()
    list.add(span(2, 1))
    list.delete(span(2, 1))
    expect(list.size).toBe(1)
  })
})
