import { Type1DirtyTracking } from '@openbar/iommu'
import {
  asFd,
  Errno,
  type Fd,
  IOMMU_VFIO_IOAS,
  IOMMU_VFIO_IOAS_CLEAR,
  IOMMU_VFIO_IOAS_GET,
  IOMMU_VFIO_IOAS_SET,
  infoCapabilities,
  iommuVfioIoas,
  MappedMemory,
  queryInfo,
  tryIoctl,
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_GET_API_VERSION,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
  vfioIommuType1Info,
} from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, openIommufd } from '../support/iommufd.ts'
import { MOCK_APERTURE, MockDevice } from '../support/iommufd-mock.ts'

const PAGE = 4096
const START = MOCK_APERTURE.start

/** The address space that stands behind the container's requests: reads, sets or clears it. Answers as C would. */
function compatSpace(fd: Fd<'iommufd'>, operation: number, ioas = 0): { result: number; ioas: number } {
  const command = iommuVfioIoas.allocate()
  command.size = iommuVfioIoas.size
  command.op = operation
  command.ioas_id = ioas
  return { result: tryIoctl(fd, IOMMU_VFIO_IOAS, command), ioas: command.ioas_id }
}

/** An iommufd that stands in for a container of the mock's device. */
function openCompat() {
  const context = openIommufd()
  const space = allocateSpace(context.fd)
  new MockDevice(context.fd, space.ioas)
  compatSpace(context.fd, IOMMU_VFIO_IOAS_SET, space.ioas)
  const container = asFd<'container'>(context.fd)
  expect(tryIoctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)).toBe(0)
  return { container, [Symbol.dispose]: () => context[Symbol.dispose]() }
}

function mapRequest(memory: MappedMemory) {
  const map = vfioIommuType1DmaMap.allocate()
  map.argsz = vfioIommuType1DmaMap.size
  map.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE
  map.vaddr = memory.address
  map.iova = START
  map.size = BigInt(memory.size)
  return map
}

function unmapRequest(iova: bigint, size: number, flags = 0) {
  const unmap = vfioIommuType1DmaUnmap.allocate()
  unmap.argsz = vfioIommuType1DmaUnmap.size
  unmap.flags = flags
  unmap.iova = iova
  unmap.size = BigInt(size)
  return unmap
}

describe('an iommufd in the place of a VFIO container', () => {
  it('answers as one, and has no device before it has an address space', async () => {
    using context = openIommufd()
    const container = asFd<'container'>(context.fd)
    expect(tryIoctl(container, VFIO_GET_API_VERSION)).toBe(VFIO_API_VERSION)
    expect(tryIoctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU)).toBe(1)
    const memory = MappedMemory.anonymous(PAGE)
    const info = vfioIommuType1Info.allocate()
    info.argsz = vfioIommuType1Info.size
    expect(tryIoctl(container, VFIO_IOMMU_MAP_DMA, mapRequest(memory))).toBe(-Errno.ENODEV)
    expect(tryIoctl(container, VFIO_IOMMU_UNMAP_DMA, unmapRequest(START, PAGE))).toBe(-Errno.ENODEV)
    expect(tryIoctl(container, VFIO_IOMMU_GET_INFO, info)).toBe(-Errno.ENODEV)
    expect(tryIoctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)).toBe(-Errno.ENODEV)
    const error = await errorOf('ERR_DOMAIN_STATE', () => new Type1DirtyTracking(container).start())
    expect(error.context.state).toBe('without a device')
    memory.revoke()
  })

  it('refuses structs that are too short, and unknown flags', () => {
    using context = openIommufd()
    const container = asFd<'container'>(context.fd)
    const memory = MappedMemory.anonymous(PAGE)
    const requests = [
      [VFIO_IOMMU_MAP_DMA, mapRequest(memory)],
      [VFIO_IOMMU_UNMAP_DMA, unmapRequest(START, PAGE)],
    ] as const
    for (const [request, command] of requests) {
      command.flags = 0x8000_0000
      expect(tryIoctl(container, request, command)).toBe(-Errno.EINVAL)
      command.argsz = 1
      expect(tryIoctl(container, request, command)).toBe(-Errno.EINVAL)
    }
    const info = vfioIommuType1Info.allocate()
    info.argsz = 1
    expect(tryIoctl(container, VFIO_IOMMU_GET_INFO, info)).toBe(-Errno.EINVAL)
    memory.revoke()
  })

  it('is given an address space, tells which, and loses it', () => {
    using context = openIommufd()
    expect(compatSpace(context.fd, IOMMU_VFIO_IOAS_GET).result).toBe(-Errno.ENODEV)
    expect(compatSpace(context.fd, IOMMU_VFIO_IOAS_SET, 99).result).toBe(-Errno.ENOENT)
    const { ioas } = allocateSpace(context.fd)
    expect(compatSpace(context.fd, IOMMU_VFIO_IOAS_SET, ioas).result).toBe(0)
    expect(compatSpace(context.fd, IOMMU_VFIO_IOAS_GET)).toEqual({ result: 0, ioas })
    expect(compatSpace(context.fd, IOMMU_VFIO_IOAS_CLEAR).result).toBe(0)
    expect(compatSpace(context.fd, IOMMU_VFIO_IOAS_GET).result).toBe(-Errno.ENODEV)
  })

  it('tells the ranges in a chain of capabilities, whatever room there is for it', () => {
    using lab = openCompat()
    const full = queryInfo(lab.container, VFIO_IOMMU_GET_INFO, vfioIommuType1Info, 'the container')
    const capability = infoCapabilities(full.bytes, full.cap_offset).find(
      ({ id }) => id === VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
    )
    expect(capability?.version).toBe(1)
    expect(capability?.view.getUint32(8, true)).toBe(1)
    expect(capability?.view.getBigUint64(16, true)).toBe(MOCK_APERTURE.start)
    expect(capability?.view.getBigUint64(24, true)).toBe(MOCK_APERTURE.last)
    for (let room = vfioIommuType1Info.size; room < full.bytes.byteLength; room += 1) {
      const info = vfioIommuType1Info.allocate(full.bytes.byteLength)
      info.bytes.fill(0xaa, room)
      info.argsz = room
      expect(tryIoctl(lab.container, VFIO_IOMMU_GET_INFO, info)).toBe(0)
      expect(info.argsz).toBe(full.argsz)
      // Nothing is written beyond the room that there is.
      expect(info.bytes.subarray(room).every((byte) => byte === 0xaa)).toBe(true)
      infoCapabilities(info.bytes.subarray(0, room), info.cap_offset)
    }
  })

  it('maps and unmaps as a container does, but for a mapping that is cut', () => {
    using lab = openCompat()
    const memory = MappedMemory.anonymous(4 * PAGE)
    const unmap = (iova: bigint, size: number, flags = 0) => {
      const request = unmapRequest(iova, size, flags)
      const result = tryIoctl(lab.container, VFIO_IOMMU_UNMAP_DMA, request)
      return result < 0 ? result : Number(request.size)
    }
    expect(tryIoctl(lab.container, VFIO_IOMMU_MAP_DMA, mapRequest(memory))).toBe(0)
    // A real container says EINVAL.
    expect(unmap(START, PAGE)).toBe(-Errno.ENOENT)
    expect(unmap(START, 4 * PAGE)).toBe(4 * PAGE)
    expect(unmap(START, 4 * PAGE)).toBe(0)
    const all = 1 << 1
    expect(tryIoctl(lab.container, VFIO_IOMMU_MAP_DMA, mapRequest(memory))).toBe(0)
    expect(unmap(START, 4 * PAGE, all)).toBe(-Errno.EINVAL)
    expect(unmap(0n, 0, all)).toBe(4 * PAGE)
    memory.revoke()
  })

  it('has no dirty tracking, and Type1DirtyTracking says so', async () => {
    using lab = openCompat()
    const error = await errorOf('ERR_NOT_SUPPORTED', () => new Type1DirtyTracking(lab.container).start())
    expect(error.context.what).toBe('dirty tracking')
    expect(error.hint).toContain('iommufd stands in for')
  })
})
