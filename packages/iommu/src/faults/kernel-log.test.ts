import { closeSync, fstatSync, openSync } from 'node:fs'
import { Errno } from '@openbar/linux'
import { describe, expect, test } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { FaultReader } from './fault-reader.ts'

// What needs the log itself is tested in a guest.
describe('a fault reader from a descriptor', () => {
  test.each(['/dev/null', import.meta.filename])('refuses one of %s, and leaves it open', (path) => {
    const fd = openSync(path, 'r')
    const error = thrownBy(() => FaultReader.fromFd(fd))
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', context: { argument: 'fd', value: fd } })
    expect(error.message).toContain('/dev/kmsg')
    fstatSync(fd)
    closeSync(fd)
  })

  test('refuses one that is not open, and what is none', () => {
    expect(thrownBy(() => FaultReader.fromFd(999_999))).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.EBADF })
    expect(thrownBy(() => FaultReader.fromFd(-1)).code).toBe('ERR_INVALID_ARGUMENT')
    expect(thrownBy(() => FaultReader.fromFd(1.5)).code).toBe('ERR_INVALID_ARGUMENT')
  })
})
