import { describe, expect, test } from 'vitest'
import { caretMatches, tarballProblems } from './tarball.mjs'

const manifest = {
  name: 'a',
  version: '0.1.0',
  exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' }, './package.json': './package.json' },
  bin: { a: './dist/cli.js' },
  dependencies: { b: '^0.1.0', koffi: '^3.0.0' },
}
const files = ['LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts', 'dist/cli.js']
const versions = new Map([['b', '0.1.0']])

describe('tarballProblems', () => {
  test('has nothing to say about a good one', () => {
    expect(tarballProblems(manifest, files, versions)).toEqual([])
  })

  test.each(files)('misses %s', (file) => {
    const others = files.filter((each) => each !== file)
    expect(tarballProblems(manifest, others, versions)).toEqual([`a: ${file} is not in the tarball`])
  })

  test('wants no tests in it', () => {
    expect(tarballProblems(manifest, [...files, 'src/a.test.ts', 'dist/testing/a.d.ts'], versions)).toHaveLength(2)
  })

  test('finds a dependency that is out of range', () => {
    expect(tarballProblems(manifest, files, new Map([['b', '0.2.0']]))).toEqual([
      'a@0.1.0 wants b ^0.1.0, and this is 0.2.0',
    ])
  })
})

test.each([
  ['^0.1.0', '0.1.0', true],
  ['^0.1.0', '0.1.3', true],
  ['^0.1.0', '0.2.0', false],
  ['^0.1.2', '0.1.1', false],
  ['^0.0.1', '0.0.2', false],
  ['^1.2.3', '1.3.0', true],
  ['^1.2.3', '1.2.2', false],
  ['^1.2.3', '2.0.0', false],
  ['^1.2.3', '0.9.9', false],
  ['*', '1.0.0', false],
])('caretMatches %s %s: %s', (range, version, expected) => {
  expect(caretMatches(range, version)).toBe(expected)
})
