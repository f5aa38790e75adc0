import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MarkedStream } from './marked-stream.ts'

const marker = '<end:aab>'

function feed(chunks: readonly Buffer[]): { readonly data: Buffer; readonly ends: number } {
  const parts: Buffer[] = []
  let ends = 0
  const stream = new MarkedStream(
    marker,
    (bytes) => parts.push(Buffer.from(bytes)),
    () => ends++,
  )
  for (const chunk of chunks) stream.push(chunk)
  return { data: Buffer.concat(parts), ends }
}

test('wherever the stream is cut, all bytes before the marker come out and none after', () => {
  // Made of the marker's own letters, so that false beginnings are common.
  const body = fc.array(fc.constantFrom('<', '<e', '<end:', '<end:aa', 'a', '\0', '\xff'), { maxLength: 30 })
  fc.assert(
    fc.property(body, fc.array(fc.nat(400), { maxLength: 20 }), (pieces, cuts) => {
      const before = Buffer.from(pieces.join(''), 'latin1')
      const all = Buffer.concat([before, Buffer.from(marker), Buffer.from('late')])
      const at = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length]
      const chunks = at.slice(1).map((end, index) => all.subarray(at[index], end))
      const { data, ends } = feed(chunks)
      expect(data.equals(before)).toBe(true)
      expect(ends).toBe(1)
    }),
  )
})

test('what cannot be the marker is handed on at once', () => {
  expect(feed([Buffer.from('hello')]).data.toString()).toBe('hello')
  expect(feed([Buffer.from('hello<en')]).data.toString()).toBe('hello')
  expect(feed([Buffer.from('hello<en'), Buffer.from('x')]).data.toString()).toBe('hello<enx')
})

test('a stream that ends without its marker gives up what it held', () => {
  const parts: string[] = []
  const stream = new MarkedStream(
    marker,
    (bytes) => parts.push(bytes.toString()),
    () => {},
  )
  stream.push(Buffer.from('<end'))
  stream.flush()
  expect(parts).toEqual(['<end'])
})
