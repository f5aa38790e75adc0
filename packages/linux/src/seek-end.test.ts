import { appendFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Errno } from './errors/errno.ts'
import { asFd, closeFd, openFd } from './fd.ts'
import { seekEnd } from './seek-end.ts'
import { temporaryDirectory } from './testing/temporary-directory.ts'
import { thrownBy } from './testing/thrown-by.ts'

const path = join(temporaryDirectory(), 'log')

test('seekEnd passes over what there is, and over nothing that comes after', () => {
  writeFileSync(path, 'old')
  const fd = openFd<'file'>(path)
  seekEnd(fd, path)
  appendFileSync(path, 'new')
  const buffer = Buffer.alloc(8)
  expect(buffer.toString('latin1', 0, readSync(fd, buffer, 0, 8, null))).toBe('new')
  closeFd(fd)
})

test('seekEnd names the file when the system refuses', () => {
  expect(thrownBy(() => seekEnd(asFd(999_999), 'the log'))).toMatchObject({
    code: 'ERR_SYSCALL',
    errno: Errno.EBADF,
    syscall: 'lseek',
    context: { target: 'the log' },
  })
})
