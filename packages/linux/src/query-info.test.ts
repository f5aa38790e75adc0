import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Errno } from './errors/errno.ts'
import { asFd } from './fd.ts'
import { queryInfo, tryQueryInfo } from './query-info.ts'
import { thrownBy } from './testing/thrown-by.ts'
import { VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo } from './uapi/vfio.ts'

const kernel = vi.hoisted(() => ({ answer: (_bytes: Uint8Array): number => 0 }))
vi.mock('./ioctl.ts', async (original) => ({
  ...(await original<typeof import('./ioctl.ts')>()),
  tryIoctl: (_fd: number, _request: unknown, bytes: Uint8Array) => kernel.answer(bytes),
}))

const fd = asFd<'device'>(0)
let sizes: number[] = []

/** A kernel whose answer needs so many bytes: it fills a large enough buffer, and asks for more otherwise. */
function kernelThatNeeds(needed: number): (bytes: Uint8Array) => number {
  return (bytes) => {
    const view = new DataView(bytes.buffer)
    sizes.push(view.getUint32(0, true))
    if (bytes.length >= needed) bytes[needed - 1] = 0x5a
    view.setUint32(0, needed, true)
    return 0
  }
}

describe('tryQueryInfo', () => {
  beforeEach(() => {
    sizes = []
  })

  test('asks once when the struct is large enough', () => {
    kernel.answer = kernelThatNeeds(vfioRegionInfo.size)
    const info = tryQueryInfo(fd, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo)
    expect(sizes).toEqual([32])
    expect(info).toMatchObject({ bytes: expect.objectContaining({ length: 32 }) })
  })

  test('asks again with as much room as the kernel wants, and says again what is asked for', () => {
    kernel.answer = kernelThatNeeds(80)
    const indexes: number[] = []
    const info = tryQueryInfo(fd, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo, (info) => {
      info.index = 3
      indexes.push(info.argsz)
    })
    if (typeof info === 'number') throw new Error('refused')
    expect(sizes).toEqual([32, 80])
    expect(indexes).toHaveLength(2)
    expect(info.index).toBe(3)
    expect(info.bytes).toHaveLength(80)
    expect(info.bytes[79]).toBe(0x5a)
  })

  test('answers the negated errno', () => {
    kernel.answer = () => -Errno.EINVAL
    expect(tryQueryInfo(fd, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo)).toBe(-Errno.EINVAL)
  })
})

describe('queryInfo', () => {
  test('throws with the request and the target', () => {
    kernel.answer = () => -Errno.EINVAL
    expect(thrownBy(() => queryInfo(fd, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo, '0000:00:02.0'))).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.EINVAL,
      syscall: 'ioctl(VFIO_DEVICE_GET_REGION_INFO)',
      context: { target: '0000:00:02.0' },
    })
  })
})
