import {
  Errno,
  type Fd,
  infoCapabilities,
  syscallError,
  tryQueryInfo,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
  VFIO_REGION_INFO_CAP_SPARSE_MMAP,
  VFIO_REGION_INFO_FLAG_CAPS,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  vfioRegionInfo,
} from '@openbar/linux'

/** A part of a region that can be mapped. Bytes, from the region's start. */
export interface MappableArea {
  readonly offset: number
  readonly size: number
}

/** What the kernel says of one of a device's regions. */
export interface RegionInfo {
  /** 0 to 5: the BARs; 6: ROM; 7: config space; 8: VGA; above: the device's own. */
  readonly index: number
  /** Bytes; 0 for a region that is not there. */
  readonly size: number
  /** Where the region starts in the device's file. */
  readonly fileOffset: number
  readonly readable: boolean
  readonly writable: boolean
  /** What of it can be mapped; empty when it can only be read and written. */
  readonly mappableAreas: readonly MappableArea[]
  /** Whether the page with the MSI-X table may be mapped with the rest. */
  readonly msixMappable: boolean
}

const ABSENT = { size: 0, fileOffset: 0, readable: false, writable: false, mappableAreas: [], msixMappable: false }

/**
 * Asks the kernel for one of a device's regions.
 *
 * @returns A region of size 0 for an index that the device does not have.
 * @see linux/vfio.h, `struct vfio_region_info` and its capabilities
 */
export function readRegionInfo(fd: Fd<'device'>, index: number, address: string): RegionInfo {
  const info = tryQueryInfo(fd, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo, (request) => {
    request.index = index
  })
  if (typeof info === 'number') {
    // EINVAL is how the kernel says that a device has no VGA region.
    if (info === -Errno.EINVAL) return { index, ...ABSENT }
    throw syscallError('ioctl(VFIO_DEVICE_GET_REGION_INFO)', -info, `${address}, region ${index}`)
  }
  const size = Number(info.size)
  const offset = (info.flags & VFIO_REGION_INFO_FLAG_CAPS) === 0 ? 0 : info.cap_offset
  const capabilities = infoCapabilities(info.bytes, offset)
  const sparse = capabilities.find(({ id }) => id === VFIO_REGION_INFO_CAP_SPARSE_MMAP)
  const whole = (info.flags & VFIO_REGION_INFO_FLAG_MMAP) === 0 || size === 0 ? [] : [{ offset: 0, size }]
  return {
    index,
    size,
    fileOffset: Number(info.offset),
    readable: (info.flags & VFIO_REGION_INFO_FLAG_READ) !== 0,
    writable: (info.flags & VFIO_REGION_INFO_FLAG_WRITE) !== 0,
    mappableAreas: sparse === undefined ? whole : parseSparseAreas(sparse.view),
    msixMappable: capabilities.some(({ id }) => id === VFIO_REGION_INFO_CAP_MSIX_MAPPABLE),
  }
}

/** `struct vfio_region_info_cap_sparse_mmap`: nr_areas (u32) at 8, then pairs of offset and size (u64) from 16. */
function parseSparseAreas(view: DataView): MappableArea[] {
  const fits = Math.floor((view.byteLength - 16) / 16)
  if (fits <= 0) return []
  const count = Math.min(view.getUint32(8, true), fits)
  return Array.from({ length: count }, (_, index) => ({
    offset: Number(view.getBigUint64(16 + index * 16, true)),
    size: Number(view.getBigUint64(24 + index * 16, true)),
  })).filter(({ size }) => size > 0)
}
