import { FaultQueue, iommufdFeatures } from '@openbar/iommu'
import {
  defineStruct,
  Errno,
  type FieldLayout,
  IOMMU_DESTROY,
  IOMMU_FAULT_QUEUE_ALLOC,
  IOMMU_GET_HW_INFO,
  IOMMU_HWPT_ALLOC,
  IOMMU_HWPT_GET_DIRTY_BITMAP,
  IOMMU_HWPT_INVALIDATE,
  IOMMU_HWPT_SET_DIRTY_TRACKING,
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_ALLOW_IOVAS,
  IOMMU_IOAS_COPY,
  IOMMU_IOAS_IOVA_RANGES,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_UNMAP,
  IOMMU_OPTION,
  IOMMU_VFIO_IOAS,
  type IoctlRequest,
  ioctlRequest,
  iommuDestroy,
  iommuFaultAlloc,
  iommuHwInfo,
  iommuHwptAlloc,
  iommuHwptGetDirtyBitmap,
  iommuHwptInvalidate,
  iommuHwptSetDirtyTracking,
  iommuIoasAlloc,
  iommuIoasAllowIovas,
  iommuIoasCopy,
  iommuIoasIovaRanges,
  iommuIoasMap,
  iommuIoasUnmap,
  iommuOption,
  iommuVfioIoas,
  openFd,
  type Struct,
  tryIoctl,
} from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { openIommufd } from '../support/iommufd.ts'

type AnyStruct = Struct<Record<string, FieldLayout>>

/** Each request with its struct, and the least size that the kernel takes of it. */
const REQUESTS: readonly (readonly [IoctlRequest<'iommufd'>, AnyStruct, number])[] = [
  [IOMMU_DESTROY, iommuDestroy, 8],
  [IOMMU_IOAS_ALLOC, iommuIoasAlloc, 12],
  [IOMMU_IOAS_IOVA_RANGES, iommuIoasIovaRanges, 32],
  [IOMMU_IOAS_ALLOW_IOVAS, iommuIoasAllowIovas, 24],
  [IOMMU_IOAS_MAP, iommuIoasMap, 40],
  [IOMMU_IOAS_COPY, iommuIoasCopy, 40],
  [IOMMU_IOAS_UNMAP, iommuIoasUnmap, 24],
  [IOMMU_OPTION, iommuOption, 24],
  [IOMMU_VFIO_IOAS, iommuVfioIoas, 12],
  [IOMMU_HWPT_ALLOC, iommuHwptAlloc, 24],
  [IOMMU_GET_HW_INFO, iommuHwInfo, 32],
  [IOMMU_HWPT_SET_DIRTY_TRACKING, iommuHwptSetDirtyTracking, 16],
  [IOMMU_HWPT_GET_DIRTY_BITMAP, iommuHwptGetDirtyBitmap, 48],
  [IOMMU_HWPT_INVALIDATE, iommuHwptInvalidate, 32],
  [IOMMU_FAULT_QUEUE_ALLOC, iommuFaultAlloc, 16],
]

describe('structs of iommufd', () => {
  it.each(REQUESTS.map((row) => [row[0].name, ...row] as const))(
    '%s: too short is EINVAL, a tail that is not zero E2BIG, and a zero tail changes nothing',
    (_, request, struct, least) => {
      using context = openIommufd()
      /** The answer to a struct that says it has this size, and is followed by this byte. */
      const answer = (size: number, tail: number) => {
        const command = struct.allocate(8)
        command.view.setUint32(0, size, true)
        command.bytes[struct.size] = tail
        return tryIoctl(context.fd, request, command)
      }
      expect(answer(least - 1, 0)).toBe(-Errno.EINVAL)
      expect(answer(struct.size + 8, 0xff)).toBe(-Errno.E2BIG)
      expect(answer(struct.size + 8, 0)).toBe(answer(struct.size, 0))
    },
  )

  it('an unknown request is ENOTTY, a bad pointer EFAULT, an object that is not there ENOENT', () => {
    using context = openIommufd()
    const command = iommuDestroy.allocate()
    command.size = iommuDestroy.size
    expect(tryIoctl(context.fd, IOMMU_DESTROY, command)).toBe(-Errno.ENOENT)
    expect(tryIoctl(context.fd, IOMMU_DESTROY)).toBe(-Errno.EFAULT)
    expect(tryIoctl(context.fd, ioctlRequest('none', 0x3b7f, 'iommufd'), command)).toBe(-Errno.ENOTTY)
  })

  it('a longer destroy is judged like the short one, as long as the rest is zero', () => {
    using context = openIommufd()
    const command = defineStruct('longer', 16, { size: ['u32', 0], id: ['u32', 4], future: ['u64', 8] }).allocate()
    command.size = 16
    expect(tryIoctl(context.fd, IOMMU_DESTROY, command)).toBe(-Errno.ENOENT)
    command.future = 1n
    expect(tryIoctl(context.fd, IOMMU_DESTROY, command)).toBe(-Errno.E2BIG)
    command.size = 8
    expect(tryIoctl(context.fd, IOMMU_DESTROY, command)).toBe(-Errno.ENOENT)
    command.size = 7
    expect(tryIoctl(context.fd, IOMMU_DESTROY, command)).toBe(-Errno.EINVAL)
  })
})

describe('iommufdFeatures', () => {
  it('tells what Linux 6.12 knows and what it does not, and allocates nothing', () => {
    using context = openIommufd()
    expect(iommufdFeatures(context.fd)).toEqual({
      allowIovas: true,
      copy: true,
      options: true,
      pageTables: true,
      hardwareInfo: true,
      dirtyTracking: true,
      invalidation: true,
      faultQueues: true,
      mapFile: false,
      changeProcess: false,
      virtualIommus: false,
      virtualDevices: false,
      virtualEventQueues: false,
      hardwareQueues: false,
    })
    // Object numbers begin with 1.
    using queue = FaultQueue.allocate(context)
    expect(queue.id).toBe(1)
  })

  it('refuses a file that is no iommufd', async () => {
    const nothing = openFd<'iommufd'>('/dev/null')
    await errorOf('ERR_SYSCALL', () => iommufdFeatures(nothing))
  })
})
