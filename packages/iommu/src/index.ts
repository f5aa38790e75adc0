export type { DmaAccess } from './access.ts'
export type { Attachable, Attachment } from './attachable.ts'
export type { BackendName } from './backend/backend.ts'
export { type KernelInterfaces, kernelInterfaces } from './backend/select-backend.ts'
export { type DirtyBitmap, type DirtyRange, dirtyRanges } from './dirty/dirty-bitmap.ts'
export type { DirtyTracking } from './dirty/dirty-tracking.ts'
export { PageTableDirtyTracking } from './dirty/page-table-dirty-tracking.ts'
export { Type1DirtyTracking } from './dirty/type1-dirty-tracking.ts'
export type { DmaBuffer } from './dma-buffer.ts'
export { Domain } from './domain.ts'
export type { AllocateOptions, DomainOptions, MapOptions, PickOptions } from './domain-options.ts'
export type { DomainSnapshot, MappingSnapshot } from './domain-snapshot.ts'
export type { DmaFault, FaultEvent, FaultsLost, IommuDriver } from './faults/fault-event.ts'
export { FaultReader } from './faults/fault-reader.ts'
export type { FaultEvents, FaultWatchOptions } from './faults/fault-watch.ts'
export { assertUntranslated } from './groups/assert-translated.ts'
export type { GroupHolders } from './groups/group-holders.ts'
export {
  type Group,
  type GroupDevice,
  groups,
  isVfioDriver,
  type ReservedRegion,
  readGroup,
} from './groups/groups.ts'
export { heldGroup } from './groups/held-groups.ts'
export { findHolders } from './groups/holders.ts'
export { type HolderScan, scanHolders } from './groups/scan-holders.ts'
export type { AdoptedMapping, AdoptOptions } from './hand-over/adopt-options.ts'
export { GivenDevice } from './hand-over/given-device.ts'
export type { IommufdAddressSpace, IommufdContextHandle } from './iommufd/address-space.ts'
export { allowIovas } from './iommufd/allow-iovas.ts'
export { type CopyMappingOptions, copyMapping } from './iommufd/copy-mapping.ts'
export { FaultQueue, type PageRequestOptions, type PageResponse } from './iommufd/fault-queue.ts'
export { type IommufdFeatures, iommufdFeatures } from './iommufd/features.ts'
export { type HardwareInfo, type HardwareType, hardwareInfo } from './iommufd/hardware-info.ts'
export { type IovaRanges, iovaRanges } from './iommufd/iova-ranges.ts'
export { hugePages, type RlimitMode, rlimitMode, setHugePages, setRlimitMode } from './iommufd/options.ts'
export type { PageRequest, PageRequestGroup } from './iommufd/page-request.ts'
export { PageTable } from './iommufd/page-table.ts'

export {
  type Invalidation,
  type PageTableData,
  type VtdStage1Range,
  type VtdStage1Table,
  vtdStage1Invalidation,
  vtdStage1Table,
} from './iommufd/page-table-data.ts'

export type { DirtyReadOptions, PageTableOptions } from './iommufd/page-table-options.ts'
export type { VtdCapabilities } from './iommufd/vtd-capabilities.ts'
export type { Iova } from './iova.ts'
export type { MappableMemory, Mapping } from './mapping.ts'
export { formatDomain } from './world/format-domain.ts'
export type { FormatOptions } from './world/format-options.ts'
export { formatWorld } from './world/format-world.ts'
export { type World, type WorldGroup, world } from './world/world.ts'
