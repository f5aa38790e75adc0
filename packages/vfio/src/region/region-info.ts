import {
  Errno,
  type Fd,
  type InfoCapability,
  infoCapabilities,
  syscallError,
  tryQueryInfo,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
  VFIO_REGION_INFO_CAP_SPARSE_MMAP,
  VFIO_REGION_INFO_CAP_TYPE,
  VFIO_REGION_INFO_FLAG_CAPS,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  vfioRegionInfo,
} from '@openbar/linux'

/** A part of a region that can be mapped. Bytes, from the region's start. */
export interface MappableArea {
  /** Where it begins. */
  readonly offset: number
  /** How long it is. */
  readonly size: number
}

/** What the kernel adds to a region: a link of its chain of capabilities. */
export type RegionCapability =
  /** Only these areas can be mapped. */
  | { readonly kind: 'sparseMmap'; readonly areas: readonly MappableArea[] }
  /** What a region of the device's own is: numbers of `linux/vfio.h`, by vendor where the type says so. */
  | { readonly kind: 'type'; readonly type: number; readonly subtype: number }
  /** The pages with the MSI-X table may be mapped with the rest. */
  | { readonly kind: 'msixMappable' }
  /** One that this package does not know, with its bytes behind the header, up to the end of the kernel's answer. */
  | { readonly kind: 'unknown'; readonly id: number; readonly version: number; readonly bytes: Uint8Array }

/** What the kernel says of one of a device's regions. */
export interface RegionInfo {
  /** 0 to 5: the BARs; 6: ROM; 7: config space; 8: VGA; above: the device's own. */
  readonly index: number
  /** Bytes; 0 for a region that is not there. */
  readonly size: number
  /** Where the region starts in the device's file. */
  readonly fileOffset: number
  /** Whether it can be read. */
  readonly readable: boolean
  /** Whether it can be written. */
  readonly writable: boolean
  /** What of it can be mapped; empty when it can only be read and written. */
  readonly mappableAreas: readonly MappableArea[]
  /** Whether the page with the MSI-X table may be mapped with the rest. */
  readonly msixMappable: boolean
  /** The chain of capabilities, in its order. */
  readonly capabilities: readonly RegionCapability[]
}

const ABSENT = {
  size: 0,
  fileOffset: 0,
  readable: false,
  writable: false,
  mappableAreas: [],
  msixMappable: false,
  capabilities: [],
}

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
  const capabilities = infoCapabilities(info.bytes, offset).map(decodeCapability)
  const sparse = capabilities.find((capability) => capability.kind === 'sparseMmap')
  const whole = (info.flags & VFIO_REGION_INFO_FLAG_MMAP) === 0 || size === 0 ? [] : [{ offset: 0, size }]
  return {
    index,
    size,
    fileOffset: Number(info.offset),
    readable: (info.flags & VFIO_REGION_INFO_FLAG_READ) !== 0,
    writable: (info.flags & VFIO_REGION_INFO_FLAG_WRITE) !== 0,
    mappableAreas: sparse === undefined ? whole : sparse.areas,
    msixMappable: capabilities.some(({ kind }) => kind === 'msixMappable'),
    capabilities,
  }
}

/** @see linux/vfio.h: `VFIO_REGION_INFO_CAP_…`, each behind a header of 8 bytes */
export function decodeCapability({ id, version, view }: InfoCapability): RegionCapability {
  if (id === VFIO_REGION_INFO_CAP_SPARSE_MMAP) return { kind: 'sparseMmap', areas: parseSparseAreas(view) }
  if (id === VFIO_REGION_INFO_CAP_MSIX_MAPPABLE) return { kind: 'msixMappable' }
  if (id === VFIO_REGION_INFO_CAP_TYPE && view.byteLength >= 16) {
    return { kind: 'type', type: view.getUint32(8, true), subtype: view.getUint32(12, true) }
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice(8)
  return { kind: 'unknown', id, version, bytes }
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
