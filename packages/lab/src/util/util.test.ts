import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cacheRoot } from './cache.ts'
import { EventQueue } from './event-queue.ts'
import { LineReader } from './line-reader.ts'
import { formatSeconds } from './progress.ts'

test('the cache: its own variable, then XDG, then the home', () => {
  expect(cacheRoot({ OPENBAR_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a')
  expect(cacheRoot({ XDG_CACHE_HOME: '/b' })).toBe('/b/openbar')
  expect(cacheRoot({ XDG_CACHE_HOME: 'relative' })).toMatch(/\/\.cache\/openbar$/)
})

test('lines come out whole, wherever the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'é', '🚀b', 'x y')), fc.integer({ min: 1, max: 7 }), (lines, size) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
      const seen: string[] = []
      const reader = new LineReader((line) => seen.push(line))
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size))
      expect(seen).toEqual(lines)
    }),
  )
})

async function all<T>(events: AsyncIterable<T>): Promise<readonly T[]> {
  const seen: T[] = []
  for await (const event of events) seen.push(event)
  return seen
}

test('each subscriber gets every event from its own beginning on', async () => {
  const queue = new EventQueue<number>()
  const early = queue.subscribe()
  queue.push(1)
  const late = queue.subscribe()
  queue.push(2)
  queue.end()
  expect(await all(early)).toEqual([1, 2])
  expect(await all(late)).toEqual([2])
  expect(await all(queue.subscribe())).toEqual([])
})

test('a time as a person writes it', () => {
  expect([3.4, 59, 65, 600].map(formatSeconds)).toEqual(['3 s', '59 s', '1 min 05 s', '10 min 00 s'])
})
