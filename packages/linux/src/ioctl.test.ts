import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Errno } from './errors/errno.ts'
import { EventFd } from './events/event-fd.ts'
import { asFd } from './fd.ts'
import { ioctl, ioctlFixed, ioctlRequest, tryIoctl } from './ioctl.ts'
import { defineStruct } from './struct.ts'
import { thrownBy } from './testing/thrown-by.ts'
import { VFIO_DEVICE_RESET } from './uapi/vfio.ts'

/** Linux, asm-generic/ioctls.h: the bytes that are left to read. */
const FIONREAD = ioctlRequest('FIONREAD', 0x541b, 'file')
const answer = defineStruct('int', 4, { value: ['s32', 0] })

describe('tryIoctl', () => {
  test('answers the negated errno and does not throw', () => {
    using event = new EventFd()
    expect(tryIoctl(asFd<'device'>(event.fd), VFIO_DEVICE_RESET)).toBe(-Errno.ENOTTY)
  })

  test('passes a struct, and bytes, for the kernel to fill', () => {
    const fd = asFd<'file'>(openSync(import.meta.filename, 'r'))
    readSync(fd, new Uint8Array(10))
    const struct = answer.allocate()
    const bytes = new Uint8Array(8)
    expect(tryIoctl(fd, FIONREAD, struct)).toBe(0)
    expect(tryIoctl(fd, FIONREAD, bytes.subarray(4))).toBe(0)
    closeSync(fd)
    expect(struct.value).toBeGreaterThan(1000)
    expect([...new Int32Array(bytes.buffer)]).toEqual([0, struct.value])
  })

  test('passes a number in the place of the pointer, and null for nothing', () => {
    const fd = asFd<'file'>(openSync(import.meta.filename, 'r'))
    expect(tryIoctl(fd, FIONREAD, 8)).toBe(-Errno.EFAULT)
    expect(tryIoctl(fd, FIONREAD)).toBe(-Errno.EFAULT)
    closeSync(fd)
  })
})

describe('ioctlFixed', () => {
  test('passes the struct for the kernel to fill, on whatever file descriptor it is called', () => {
    const struct = answer.fixed()
    const left = ioctlFixed(FIONREAD, struct)
    const fds = [10, 20].map((bytes) => {
      const fd = asFd<'file'>(openSync(import.meta.filename, 'r'))
      readSync(fd, new Uint8Array(bytes))
      return fd
    })
    const answers = fds.map((fd) => [left(fd), struct.value])
    for (const fd of fds) closeSync(fd)
    const size = statSync(import.meta.filename).size
    expect(answers).toEqual([
      [0, size - 10],
      [0, size - 20],
    ])
  })

  test('answers what the kernel answers, and does not throw', () => {
    using event = new EventFd()
    const reset = ioctlFixed(VFIO_DEVICE_RESET, answer.fixed())
    expect(reset(asFd<'device'>(event.fd))).toBe(-Errno.ENOTTY)
    // @ts-expect-error: a device's request on an eventfd
    expect(reset(event.fd)).toBe(-Errno.ENOTTY)
  })
})

describe('ioctl', () => {
  test('throws with the request, the target and the error number', () => {
    using event = new EventFd()
    const error = thrownBy(() => ioctl(asFd<'device'>(event.fd), VFIO_DEVICE_RESET, undefined, '0000:00:02.0'))
    expect(error).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.ENOTTY,
      syscall: 'ioctl(VFIO_DEVICE_RESET)',
      context: { target: '0000:00:02.0' },
    })
    expect(error.message).toContain('ENOTTY')
  })

  test('takes only an fd of the kind that the request is for', () => {
    using event = new EventFd()
    // @ts-expect-error: a device's request on an eventfd
    expect(thrownBy(() => ioctl(event.fd, VFIO_DEVICE_RESET, undefined, 'x')).errno).toBe(Errno.ENOTTY)
  })

  test('answers what the kernel answers', () => {
    const fd = asFd<'file'>(openSync(import.meta.filename, 'r'))
    expect(ioctl(fd, FIONREAD, answer.allocate(), 'this file')).toBe(0)
    closeSync(fd)
  })
})
