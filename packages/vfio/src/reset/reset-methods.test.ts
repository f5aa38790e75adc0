import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readFunctionResetMethods } from './reset-methods.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'openbar-reset-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

it.each([
  ['flr bus\n', ['flr', 'bus']],
  ['pm\n', ['pm']],
  ['\n', []],
])('reads %j in the order of the kernel', (text, methods) => {
  writeFileSync(join(directory, 'reset_method'), text)
  expect(readFunctionResetMethods(true, directory)).toEqual(methods)
})

it('has none where the file is absent because there are none', () => {
  writeFileSync(join(directory, 'vendor'), '0x8086\n')
  expect(readFunctionResetMethods(false, directory)).toEqual([])
})

it('cannot tell where the kernel does not, or sysfs is not there', () => {
  expect(readFunctionResetMethods(false, directory)).toBeUndefined()
  writeFileSync(join(directory, 'vendor'), '0x8086\n')
  expect(readFunctionResetMethods(true, directory)).toBeUndefined()
})
