import {
  type Fd,
  type InclusiveRange,
  infoCapabilities,
  queryInfo,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
  VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
  vfioIommuType1Info,
} from '@openbar/linux'

/** What a container says of itself while it has a page table. */
export interface Type1Info {
  /** The smallest page in bytes. */
  readonly alignment: number
  readonly ranges: readonly InclusiveRange[] | undefined
  /** How many mappings more it takes. */
  readonly mappingsLeft: number | undefined
}

const DEFAULT_ALIGNMENT = 4096n

/**
 * Asks a container for its page sizes, ranges and limits.
 *
 * @see linux/vfio.h, `struct vfio_iommu_type1_info` and its capabilities
 */
export function readType1Info(container: Fd<'container'>): Type1Info {
  const info = queryInfo(container, VFIO_IOMMU_GET_INFO, vfioIommuType1Info, '/dev/vfio/vfio')
  const pageSizes = (info.flags & VFIO_IOMMU_INFO_PGSIZES) === 0 ? 0n : info.iova_pgsizes
  const offset = (info.flags & VFIO_IOMMU_INFO_CAPS) === 0 ? 0 : info.cap_offset
  const capabilities = infoCapabilities(info.bytes, offset)
  const viewOf = (id: number) => capabilities.find((capability) => capability.id === id)?.view
  const ranges = viewOf(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
  const left = viewOf(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
  return {
    alignment: Number(pageSizes === 0n ? DEFAULT_ALIGNMENT : pageSizes & -pageSizes),
    ranges: ranges === undefined ? undefined : parseIovaRanges(ranges),
    // `struct vfio_iommu_type1_info_dma_avail`: avail (u32) at 8.
    mappingsLeft: left === undefined || left.byteLength < 12 ? undefined : left.getUint32(8, true),
  }
}

/**
 * The very last page of 64 bits ends at 2^64, which is 0 to the kernel. It maps that page, but then no longer finds that mapping,
 * nor others, when they shall be unmapped (seen on 6.12).
 */
const LAST_UNMAPPABLE = 0xffff_ffff_ffff_efffn

/** `struct vfio_iommu_type1_info_cap_iova_range`: nr_iovas (u32) at 8, then pairs of start and end (u64) from 16. */
function parseIovaRanges(view: DataView): InclusiveRange[] {
  const fits = Math.floor((view.byteLength - 16) / 16)
  if (fits <= 0) return []
  const count = Math.min(view.getUint32(8, true), fits)
  return Array.from({ length: count }, (_, index) => ({
    start: view.getBigUint64(16 + index * 16, true),
    last: atMost(view.getBigUint64(24 + index * 16, true), LAST_UNMAPPABLE),
  }))
}

function atMost(value: bigint, limit: bigint): bigint {
  return value > limit ? limit : value
}
