import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Errno } from './errors/errno.ts'
import { asFd, closeFd, closeOnExec, openFd } from './fd.ts'
import { libcCalls } from './ffi/libc.ts'
import { newSocketPair } from './sockets/new-socket.ts'
import { thrownBy } from './testing/thrown-by.ts'

describe('openFd', () => {
  test('opens for reading and writing, and close-on-exec', () => {
    const fd = openFd<'file'>('/dev/null')
    const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    closeFd(fd)
    const bits = Number.parseInt(flags ?? '0', 8)
    expect(bits & 0o3).toBe(2)
    expect(bits & 0o2000000).not.toBe(0)
  })

  test('names the path when it cannot', () => {
    expect(thrownBy(() => openFd('/dev/vfio/no-such-group'))).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.ENOENT,
      syscall: 'open',
      context: { target: '/dev/vfio/no-such-group' },
    })
  })
})

test('closeOnExec marks a descriptor, and names one that is not open', () => {
  const [first, second] = newSocketPair()
  const bits = () =>
    Number.parseInt(/^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${first}`, 'utf8'))?.[1] ?? '0', 8)
  expect(libcCalls.fcntl(first, 2, 0)).toBe(0)
  expect(bits() & 0o2000000).toBe(0)
  closeOnExec(first)
  expect(bits() & 0o2000000).not.toBe(0)
  closeFd(first)
  closeFd(second)
  expect(thrownBy(() => closeOnExec(asFd(999_999)))).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.EBADF })
})

test('closeFd throws for a descriptor that is closed already', () => {
  expect(thrownBy(() => closeFd(asFd(999_999)))).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.EBADF })
})

test.each([-1, 1.5, Number.NaN])('asFd refuses %d', (value) => {
  expect(thrownBy(() => asFd(value))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', context: { value } })
})
