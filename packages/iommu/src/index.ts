export type { DmaAccess } from './access.ts'
export type { Attachable, Attachment } from './attachable.ts'
export type { BackendName } from './backend/backend.ts'
export { type KernelInterfaces, kernelInterfaces } from './backend/select-backend.ts'
export type { DmaBuffer } from './dma-buffer.ts'
export { Domain } from './domain.ts'
export type { AllocateOptions, DomainOptions, MapOptions, PickOptions } from './domain-options.ts'
export type { DomainSnapshot, MappingSnapshot } from './domain-snapshot.ts'
export type { DmaFault, FaultEvent, FaultsLost, IommuDriver } from './faults/fault-event.ts'
export { FaultReader } from './faults/fault-reader.ts'
export type { FaultWatchOptions } from './faults/fault-watch.ts'
export type { GroupHolders } from './groups/group-holders.ts'
export {
  type Group,
  type GroupDevice,
  groups,
  isVfioDriver,
  type ReservedRegion,
  readGroup,
} from './groups/groups.ts'
export { findHolders } from './groups/holders.ts'
export { type HolderScan, scanHolders } from './groups/scan-holders.ts'
export type { Iova } from './iova.ts'
export type { MappableMemory, Mapping } from './mapping.ts'
export { formatDomain } from './world/format-domain.ts'
export type { FormatOptions } from './world/format-options.ts'
export { formatWorld } from './world/format-world.ts'
export { type World, type WorldGroup, world } from './world/world.ts'
