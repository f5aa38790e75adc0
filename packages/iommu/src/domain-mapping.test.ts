import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { DomainMapping } from './domain-mapping.ts'

const memory = { address: 0x7f00_0000_0000, size: 8192 }
const make = (start: number) => new DomainMapping(start, memory, memory.address, 'read')

describe('DomainMapping', () => {
  test.each([
    ['the first page there is', 0, 0n, 8191n],
    ['a small address', 0x1000_0000, 0x1000_0000n, 0x1000_1fffn],
    ['an address beyond 2^32', 0x12_3456_7000, 0x12_3456_7000n, 0x12_3456_8fffn],
    ['an address beyond 2^53', 2 ** 63 + 2 ** 12, 2n ** 63n + 4096n, 2n ** 63n + 12_287n],
    ['the last pages there are', 2 ** 64 - 8192, 2n ** 64n - 8192n, 2n ** 64n - 1n],
  ])('has both ends as bigints: %s', (_, start, iova, last) => {
    const mapping = make(start)
    expect([mapping.iova, mapping.last]).toEqual([iova, last])
    expect([mapping.start, mapping.end]).toEqual([start, start + 8192])
  })

  test('keeps its size when the memory says another one afterwards', () => {
    const changing = { ...memory }
    const mapping = new DomainMapping(0, changing, changing.address, 'read')
    changing.size = 4096
    changing.address = 0
    expect([mapping.size, mapping.address, mapping.memory]).toEqual([8192, memory.address, changing])
  })

  test('belongs to no buffer until it is told', () => {
    expect(make(0).buffer).toBeUndefined()
  })

  test('shows what users know of it, and nothing of the books', () => {
    expect(inspect(make(0x2000))).toBe(inspect({ iova: 0x2000n, last: 0x3fffn, size: 8192, access: 'read', memory }))
  })

  test('keeps only numbers, strings and what it was given: what V8 can take for numbers, it does', () => {
    expect(Object.keys(make(0))).toEqual(['start', 'size', 'access', 'memory', 'address', 'buffer'])
  })
})
