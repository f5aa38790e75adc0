import { expect, test } from 'vitest'
import { formatSize } from './format-size.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [4096, '4 KiB'],
  [1536n, '1.5 KiB'],
  [1024 * 1024 - 1, '1023.9 KiB'],
  [2 * 1024 ** 2, '2 MiB'],
  [5n * 1024n ** 3n, '5 GiB'],
  [1n << 40n, '1 TiB'],
  [1n << 50n, '1 PiB'],
  [(1n << 64n) - 1n, '15.9 EiB'],
  [1n << 71n, '2048 EiB'],
])('%s bytes are %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text)
})
