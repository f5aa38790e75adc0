import { expect, test } from 'vitest'
import { parseStanzas } from './stanza.ts'

test('reads stanzas, with continuation lines', () => {
  const [first, second, ...rest] = parseStanzas('Package: a\nDescription: one\n two\nVersion: 1\n\nPackage: b\n\n')
  expect(first?.get('Description')).toBe('one\ntwo')
  expect(first?.get('Version')).toBe('1')
  expect(second?.get('Package')).toBe('b')
  expect(rest).toEqual([])
})
