import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { debianRelease, parseOsRelease } from './debian-release.ts'

const directory = mkdtempSync(join(tmpdir(), 'os-release-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(text: string): string {
  const path = join(directory, 'os-release')
  writeFileSync(path, text)
  return path
}

test('reads quoted and bare values', () => {
  expect(Object.fromEntries(parseOsRelease('ID=debian\nVERSION_ID="12"\nNAME=\'Debian\'\n'))).toEqual({
    ID: 'debian',
    VERSION_ID: '12',
    NAME: 'Debian',
  })
})

test('knows Debian 13', () => {
  const path = file('ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n')
  expect(debianRelease(path)).toEqual({ codename: 'trixie', version: 13 })
})

test('names the system that is not Debian', () => {
  const path = file('ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n')
  expect(() => debianRelease(path)).toThrow(/Alpine Linux v3.22/)
})
