import { expect, test } from 'vitest'
import { findHostNames } from './host-names.mjs'

// Put together here, so that this file passes its own check.
const address = (/** @type {string} */ host) => `http${''}s://${host}/x`

test.each([
  'registry.example.org',
  'deb.example.org',
  'npm-registry.example.org',
  'mirror.example.org',
  'proxy.example.org:8080',
])('finds %s', (host) => {
  expect(findHostNames(`a\n  "resolved": "${address(host)}"`, 'lock')).toEqual([`lock:2: names ${address(host)}`])
})

test.each(['example.org', 'debate.example.org', 'mirror.example', 'registry.test:8080'])('lets %s through', (host) => {
  expect(findHostNames(address(host), 'lock')).toEqual([])
})
