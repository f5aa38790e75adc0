import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Errno } from './errors/errno.ts'
import { asFd, closeFd, openFd } from './fd.ts'
import { preadExactly, pwriteExactly } from './region-io.ts'
import { temporaryDirectory } from './testing/temporary-directory.ts'
import { thrownBy } from './testing/thrown-by.ts'

const path = join(temporaryDirectory(), 'region')
writeFileSync(path, Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7))
const fd = openFd<'file'>(path)
afterAll(() => closeFd(fd))

describe('preadExactly and pwriteExactly', () => {
  test('move the bytes of a view, and no others', () => {
    const around = new Uint8Array(8).fill(0xff)
    preadExactly(fd, around.subarray(2, 6), 1, path)
    expect([...around]).toEqual([0xff, 0xff, 1, 2, 3, 4, 0xff, 0xff])
    pwriteExactly(fd, Uint8Array.of(9, 8, 7, 6).subarray(1, 3), 4, path)
    const all = new Uint8Array(8)
    preadExactly(fd, all, 0, path)
    expect([...all]).toEqual([0, 1, 2, 3, 8, 7, 6, 7])
  })

  test('count a short read as EIO', () => {
    expect(thrownBy(() => preadExactly(fd, new Uint8Array(4), 6, path))).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.EIO,
      syscall: 'pread',
      context: { target: path },
    })
  })

  test('pass on the error number of a refusal', () => {
    const closed = asFd(999_999)
    expect(thrownBy(() => preadExactly(closed, new Uint8Array(4), 0, 'x')).errno).toBe(Errno.EBADF)
    expect(thrownBy(() => pwriteExactly(closed, new Uint8Array(4), 0, 'x'))).toMatchObject({
      errno: Errno.EBADF,
      syscall: 'pwrite',
    })
  })
})
