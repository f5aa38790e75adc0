import { describe, expect, test } from 'vitest'
import { addressOf } from '../ffi/libc.ts'
import { fixedMemory } from './fixed-memory.ts'
import { PAGE_SIZE } from './page-size.ts'

describe('fixedMemory', () => {
  test('is zeroed memory of the size that was asked for, at the address that it says', () => {
    const { bytes, address } = fixedMemory(40)
    expect([...bytes]).toEqual(new Array(40).fill(0))
    expect(Number(addressOf(bytes))).toBe(address)
  })

  test('overlaps nothing that was handed out before, over several pages, and never crosses the end of one', () => {
    const sizes = Array.from({ length: 400 }, (_, index) => 1 + ((index * 37) % 100))
    const made = sizes.map((size) => fixedMemory(size))
    made.forEach(({ bytes }, index) => {
      bytes.fill(index % 251)
    })
    made.forEach(({ bytes, address }, index) => {
      expect(bytes.length).toBe(sizes[index])
      expect(bytes.every((byte) => byte === index % 251)).toBe(true)
      expect(address % 16).toBe(0)
      expect(Math.floor(address / PAGE_SIZE)).toBe(Math.floor((address + bytes.length - 1) / PAGE_SIZE))
    })
    expect(new Set(made.map(({ address }) => Math.floor(address / PAGE_SIZE))).size).toBeGreaterThan(4)
  })

  test('is below 2^31, where an address is a small integer', () => {
    expect(fixedMemory(PAGE_SIZE).address).toBeLessThan(2 ** 31 - PAGE_SIZE)
  })

  test('hands out a whole page, and goes on in the next', () => {
    const [whole, next] = [fixedMemory(PAGE_SIZE), fixedMemory(1)]
    expect(whole.address % PAGE_SIZE).toBe(0)
    expect(Math.floor(next.address / PAGE_SIZE)).not.toBe(whole.address / PAGE_SIZE)
  })
})
