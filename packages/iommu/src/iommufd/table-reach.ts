import { Errno, type InclusiveRange, IOMMU_HWPT_ALLOC, iommuHwptAlloc, OpenbarError, tryIoctl } from '@openbar/linux'
import { formatIova } from '../iova.ts'
import type { IommufdAddressSpace } from './address-space.ts'
import { allocateIoas } from './allocate-ioas.ts'
import { destroyObject } from './destroy-object.ts'
import { iovaRanges } from './iova-ranges.ts'

const PAGE = 4096n

/**
 * Whether nothing can be mapped for a table.
 *
 * Some drivers, as that of the virtio IOMMU in Linux 6.12, learn what a table reaches when the first device is
 * attached. Until then it is a single byte, and so is what the whole address space can map.
 */
export function reachesNothing(ranges: readonly InclusiveRange[]): boolean {
  return ranges.every(({ start, last }) => last - start + 1n < PAGE)
}

/** The error for a driver that makes no table before a device is attached. */
export function noTableYetError(deviceId: number): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `This kernel's driver for the IOMMU of device ${deviceId} has no page table of the caller's: it makes tables only while it attaches a device.`,
    hint: 'Attach the device to the address space, and the kernel makes a table for it.',
    context: { what: "page table of the caller's" },
  })
}

/** What the kernel's EADDRINUSE to a new table means: it does not reach what is mapped, or asked for by {@link allowIovas}. */
export function outOfReachError(space: IommufdAddressSpace, deviceId: number): OpenbarError {
  const ranges = reachOfNewTable(space, deviceId)
  if (reachesNothing(ranges)) return noTableYetError(deviceId)
  const reach = ranges.map(({ start, last }) => `${formatIova(start)}-${formatIova(last)}`).join(', ')
  return new OpenbarError('ERR_DOMAIN_STATE', {
    message: `The page table would not reach all that is mapped in address space ${space.ioas}, or asked for: the IOMMU of device ${deviceId} translates ${reach}.`,
    hint: 'Unmap what lies outside, or map it elsewhere.',
    context: { state: 'mapped out of reach' },
    errno: Errno.EADDRINUSE,
    syscall: 'ioctl(IOMMU_HWPT_ALLOC)',
  })
}

/** What a new table for a device would reach: allocates one in an empty address space, to see. Nothing when there can be none. */
export function reachOfNewTable({ fd }: IommufdAddressSpace, deviceId: number): readonly InclusiveRange[] {
  const ioas = allocateIoas(fd)
  try {
    const table = iommuHwptAlloc.allocate()
    table.size = iommuHwptAlloc.size
    table.dev_id = deviceId
    table.pt_id = ioas
    if (tryIoctl(fd, IOMMU_HWPT_ALLOC, table) < 0) return []
    const { ranges } = iovaRanges({ fd, ioas })
    destroyObject(fd, table.out_hwpt_id, `page table ${table.out_hwpt_id}`, () => 'somebody')
    return ranges
  } finally {
    destroyObject(fd, ioas, `address space ${ioas}`, () => 'its page table')
  }
}
