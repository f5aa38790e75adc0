import { closeSync, openSync, readSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Errno } from './errors/errno.ts'
import { EventFd } from './events/event-fd.ts'
import { asFd } from './fd.ts'
import { ioctl, ioctlRequest, tryIoctl } from './ioctl.ts'
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
