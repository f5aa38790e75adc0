import { describe, expect, test } from 'vitest'
import { compareLocks } from './ensure-dependencies.mjs'

const one = { version: '1.0.0', integrity: 'sha512-a' }
const { platform, arch } = process

describe('compareLocks', () => {
  test('is content with the same packages', () => {
    const workspace = { resolved: 'packages/b', link: true }
    const locked = { '': {}, 'packages/b': {}, 'node_modules/a': one, 'node_modules/b': workspace }
    const installed = { 'packages/b': {}, 'node_modules/a': one, 'node_modules/b': workspace }
    expect(compareLocks(locked, installed)).toBeUndefined()
  })

  test.each([
    ['a missing package', { 'node_modules/a': one }, {}],
    ['one missing further down', { 'packages/b/node_modules/a': one }, {}],
    ['another version', { 'node_modules/a': one }, { 'node_modules/a': { ...one, version: '2.0.0' } }],
    ['another content', { 'node_modules/a': one }, { 'node_modules/a': { ...one, integrity: 'sha512-b' } }],
    ['a package too many', {}, { 'node_modules/a': one }],
    [
      'a missing optional package for this machine',
      { 'node_modules/a': { ...one, optional: true, os: [platform], cpu: [arch] } },
      {},
    ],
  ])('finds %s', (_, locked, installed) => {
    expect(compareLocks(locked, installed)).toContain('node_modules/a')
  })

  test.each([
    ['for another system', { os: ['aix'] }],
    ['for another processor', { os: [platform], cpu: ['s390x'] }],
    ['for another C library', { os: [platform], cpu: [arch], libc: ['musl'] }],
    ['that comes along with one for another machine', {}],
  ])('needs no optional package %s', (_, machine) => {
    expect(compareLocks({ 'node_modules/a': { ...one, optional: true, ...machine } }, {})).toBeUndefined()
  })
})
