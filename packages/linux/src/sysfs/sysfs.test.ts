import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Errno } from '../errors/errno.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { fileError } from './file-error.ts'
import { listDirectory } from './list-directory.ts'
import { readLinkName } from './read-link-name.ts'
import { readNumber } from './read-number.ts'
import { readText } from './read-text.ts'
import { writeText } from './write-text.ts'

const root = temporaryDirectory()
let count = 0

function file(text: string): string {
  count += 1
  const path = join(root, `file-${count}`)
  writeFileSync(path, text)
  return path
}

describe('readText', () => {
  test('reads a text without its last newline, and only that one', () => {
    expect(readText(file('vfio-pci\n'))).toBe('vfio-pci')
    expect(readText(file('a\nb\n\n'))).toBe('a\nb\n')
    expect(readText(file(''))).toBe('')
  })

  test('answers undefined where there is no such file', () => {
    expect(readText(join(root, 'missing'))).toBeUndefined()
    expect(readText(join(file('x'), 'below-a-file'))).toBeUndefined()
  })

  test('throws for what exists and cannot be read, naming it', () => {
    const error = thrownBy(() => readText(root))
    expect(error).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.EISDIR,
      syscall: 'read',
      context: { target: root },
    })
    expect(error.message).toContain(root)
  })
})

describe('readNumber', () => {
  test.each([
    ['0x8086\n', 0x8086],
    ['12\n', 12],
    ['-1\n', -1],
    ['0\n', 0],
  ])('reads %j', (text, value) => {
    expect(readNumber(file(text))).toBe(value)
  })

  test('answers undefined where there is no such file', () => {
    expect(readNumber(join(root, 'missing'))).toBeUndefined()
  })

  test.each(['', 'N/A', '1 2', '1.5', '0x', '99999999999999999999'])('refuses %j', (text) => {
    const path = file(`${text}\n`)
    const error = thrownBy(() => readNumber(path))
    expect(error.code).toBe('ERR_SYSCALL')
    expect(error.message).toBe(`${path} holds '${text}', which is not a number.`)
  })
})

describe('readLinkName', () => {
  test('answers the last part of the target, though it does not exist', () => {
    const link = join(root, 'driver')
    symlinkSync('../../../bus/pci/drivers/e1000e', link)
    expect(readLinkName(link)).toBe('e1000e')
  })

  test('answers undefined where there is no link', () => {
    expect(readLinkName(join(root, 'missing'))).toBeUndefined()
    expect(readLinkName(file('no link'))).toBeUndefined()
  })
})

describe('listDirectory', () => {
  test('lists the names, sorted', () => {
    const directory = join(root, 'devices')
    mkdirSync(directory)
    for (const name of ['0000:00:1f.2', '0000:00:02.0', '0000:00:10.0']) writeFileSync(join(directory, name), '')
    expect(listDirectory(directory)).toEqual(['0000:00:02.0', '0000:00:10.0', '0000:00:1f.2'])
  })

  test('answers none where there is no directory', () => {
    expect(listDirectory(join(root, 'missing'))).toEqual([])
    expect(listDirectory(file(''))).toEqual([])
  })
})

describe('writeText', () => {
  test('replaces what the file holds', () => {
    const path = file('a long old value')
    writeText(path, 'new')
    expect(readFileSync(path, 'utf8')).toBe('new')
  })

  test('never makes a file', () => {
    const path = join(root, 'driver_override')
    const error = thrownBy(() => writeText(path, 'vfio-pci'))
    expect(error).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.ENOENT,
      syscall: 'open',
      context: { target: path },
    })
    expect(existsSync(path)).toBe(false)
  })

  test('throws what the attribute answered', () => {
    const error = thrownBy(() => writeText('/proc/self/oom_score_adj', 'nonsense'))
    expect(error).toMatchObject({ errno: Errno.EINVAL, syscall: 'write' })
    expect(error.message).toContain('/proc/self/oom_score_adj')
  })
})

describe('fileError', () => {
  test.each([Errno.EACCES, Errno.EPERM])('makes a permission error of errno %i, with a way out', (errno) => {
    const cause = Object.assign(new Error('refused'), { errno: -errno })
    const error = fileError('open', '/dev/vfio/12', cause)
    expect(error).toBeInstanceOf(OpenbarError)
    expect(error).toMatchObject({
      code: 'ERR_PERMISSION',
      errno,
      syscall: 'open',
      cause,
      context: { target: '/dev/vfio/12' },
    })
    expect(error.message).toMatch(/may not open \/dev\/vfio\/12\..*root/)
  })

  test('passes on what has no error number', () => {
    const odd = new TypeError('odd')
    expect(fileError('open', '/x', odd)).toBe(odd)
    expect(fileError('open', '/x', 'text').message).toBe('text')
  })
})
