import { expect, it } from 'vitest'
import { parseUuid } from './vf-token.ts'

it('takes the bytes of a UUID in the order of its text', () => {
  expect(Buffer.from(parseUuid('00112233-4455-6677-8899-aAbBcCdDeEfF')).toString('hex')).toBe(
    '00112233445566778899aabbccddeeff',
  )
})

it.each([
  '',
  '00112233445566778899aabbccddeeff',
  '00112233-4455-6677-8899-aabbccddeefg',
  ' 00112233-4455-6677-8899-aabbccddeeff',
])('refuses %j', (text) => {
  expect(() => parseUuid(text)).toThrow('a UUID such as')
})
