import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { findProgram } from '../util/find-program.ts'
import { cpioArchive } from './cpio.ts'
import { isStaticElf } from './static-busybox.ts'

const archive = cpioArchive([
  { path: 'bin', mode: 0o040755 },
  { path: 'bin/tool', mode: 0o100755, data: Buffer.from('12345') },
  { path: 'bin/sh', mode: 0o120777, data: Buffer.from('tool') },
  { path: 'console', mode: 0o020600, device: [5, 1] },
])

test('headers are newc and everything is padded to four bytes', () => {
  expect(archive.length % 4).toBe(0)
  expect(archive.subarray(0, 6).toString()).toBe('070701')
  expect(archive.includes('TRAILER!!!')).toBe(true)
})

test('the same entries give the same bytes', () => {
  const entry = { path: 'a', mode: 0o100644, data: Buffer.from('x') }
  expect(cpioArchive([entry]).equals(cpioArchive([entry]))).toBe(true)
})

test.skipIf(findProgram('busybox') === undefined)('cpio reads it', () => {
  const listed = execFileSync('busybox', ['cpio', '-t'], {
    input: archive,
    encoding: 'utf8',
    stdio: 'pipe',
  })
  expect(listed.trim().split('\n')).toEqual(['bin', 'bin/tool', 'bin/sh', 'console'])
})

test('a program with an interpreter is not static', () => {
  const elf = Buffer.alloc(64 + 56)
  elf.writeUInt32BE(0x7f454c46, 0)
  elf.writeBigUInt64LE(64n, 32)
  elf.writeUInt16LE(56, 54)
  elf.writeUInt16LE(1, 56)
  elf.writeUInt32LE(1, 64)
  expect(isStaticElf(elf)).toBe(true)
  elf.writeUInt32LE(3, 64)
  expect(isStaticElf(elf)).toBe(false)
  expect(isStaticElf(Buffer.from('#!/bin/sh'))).toBe(false)
})
