import { expect, test } from 'vitest'
import { siteOf } from './site.ts'

const line = (...parts: string[]) => parts.join('\t')

test('takes the site of the own suite, not those of third parties and of security', () => {
  const listing = [
    line('https://tools.example/apt', 'bookworm', 'contrib'),
    line('http://security.example/debian-security', 'bookworm-security', 'main'),
    line('http://mirror.example/debian', 'bookworm-updates', 'main'),
    line('http://mirror.example/debian', 'bookworm', 'main'),
  ].join('\n')
  expect(siteOf(listing, 'bookworm')).toBe('http://mirror.example/debian')
})

test('accepts sources that name the suite by its class', () => {
  expect(siteOf(line('http://mirror.example/debian', 'stable', 'main'), 'trixie')).toBe('http://mirror.example/debian')
})

test('finds nothing in sources without the suite', () => {
  expect(siteOf('', 'bookworm')).toBeUndefined()
  expect(siteOf(line('http://mirror.example/debian', 'bookworm', 'contrib'), 'bookworm')).toBeUndefined()
})
