import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { infoCapabilities } from './capability-chain.ts'

interface Link {
  offset: number
  id: number
  version: number
  next: number
}

/** An answer of the kernel of the given length, with the given headers in it. */
function answer(length: number, links: readonly Link[]): Uint8Array {
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  for (const { offset, id, version, next } of links) {
    view.setUint16(offset, id, true)
    view.setUint16(offset + 2, version, true)
    view.setUint32(offset + 4, next, true)
  }
  return bytes
}

describe('infoCapabilities', () => {
  test('answers none for offset 0', () => {
    expect(infoCapabilities(answer(64, [{ offset: 0, id: 1, version: 1, next: 0 }]), 0)).toEqual([])
  })

  test('walks a chain in the order of its links, not of its offsets', () => {
    const slots = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { minLength: 1 })
    fc.assert(
      fc.property(slots, (order) => {
        const links = order.map((slot, index) => ({
          offset: slot * 8,
          id: slot,
          version: index + 1,
          next: (order[index + 1] ?? 0) * 8,
        }))
        const found = infoCapabilities(answer(21 * 8, links), order[0]! * 8)
        expect(found.map(({ id, version }) => ({ id, version }))).toEqual(
          links.map(({ id, version }) => ({ id, version })),
        )
      }),
    )
  })

  test('gives each capability the bytes from its header to the end', () => {
    const whole = answer(40, [{ offset: 24, id: 1, version: 1, next: 0 }])
    new DataView(whole.buffer).setUint32(32, 0xfeed, true)
    const [capability] = infoCapabilities(whole, 24)
    expect(capability?.view.byteLength).toBe(16)
    expect(capability?.view.getUint32(8, true)).toBe(0xfeed)
  })

  test('counts offsets from the first byte of an answer that stands inside a larger buffer', () => {
    const buffer = new Uint8Array(48)
    buffer.set(answer(32, [{ offset: 16, id: 9, version: 2, next: 0 }]), 16)
    expect(infoCapabilities(buffer.subarray(16), 16)[0]).toMatchObject({ id: 9, version: 2 })
  })

  test.each([
    ['itself', [{ offset: 8, id: 1, version: 1, next: 8 }], [1]],
    [
      'an earlier link',
      [
        { offset: 8, id: 1, version: 1, next: 16 },
        { offset: 16, id: 2, version: 1, next: 24 },
        { offset: 24, id: 3, version: 1, next: 16 },
      ],
      [1, 2, 3],
    ],
  ])('ends at a link back to %s', (_, links, ids) => {
    expect(infoCapabilities(answer(32, links), 8).map(({ id }) => id)).toEqual(ids)
  })

  test.each([
    ['beyond the end', 1000],
    ['a header that is cut off by the end', 25],
    ['the largest offset there is', 0xffff_ffff],
  ])('ends at a link to %s', (_, next) => {
    const bytes = answer(32, [{ offset: 8, id: 1, version: 1, next }])
    expect(infoCapabilities(bytes, 8).map(({ id }) => id)).toEqual([1])
    expect(infoCapabilities(bytes, next)).toEqual([])
  })

  test('takes a header that ends exactly at the end', () => {
    expect(infoCapabilities(answer(32, [{ offset: 24, id: 5, version: 1, next: 0 }]), 24)).toHaveLength(1)
  })

  test('survives any bytes, and never visits an offset twice', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 256 }), fc.nat({ max: 300 }), (bytes, first) => {
        const offsets = infoCapabilities(bytes, first).map(({ view }) => bytes.byteLength - view.byteLength)
        expect(new Set(offsets).size).toBe(offsets.length)
        expect(offsets.every((offset) => offset > 0 && offset + 8 <= bytes.byteLength)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
