export { type InfoCapability, infoCapabilities } from './capability-chain.ts'
export * from './errors/index.ts'
export { EventFd } from './events/event-fd.ts'
export { FdWatcher } from './events/fd-watcher.ts'
export { asFd, closeFd, type Fd, type FdKind, openFd } from './fd.ts'
export { addressOf } from './ffi/libc.ts'
export { type IoctlArgument, type IoctlRequest, ioctl, ioctlFixed, ioctlRequest, tryIoctl } from './ioctl.ts'
export type { AnonymousOptions } from './memory/anonymous-pages.ts'
export { type HugepageCount, type HugepageSize, hugepageBytes, hugepages } from './memory/hugepages.ts'
export { type LockedMemory, lockedMemory, parseLockedMemory } from './memory/locked-memory.ts'
export { MappedMemory, type MemfdMemory } from './memory/mapped-memory.ts'
export type { MemfdOptions } from './memory/memfd-pages.ts'
export type { MemoryFileOptions } from './memory/memory-file.ts'
export { PAGE_SIZE } from './memory/page-size.ts'
export { physicalAddresses } from './memory/physical-addresses.ts'
export { pinProblem } from './memory/pin-problem.ts'
export type { MapFileOptions } from './memory/region-pages.ts'
export { queryInfo, tryQueryInfo } from './query-info.ts'
export { preadExactly, pwriteExactly } from './region-io.ts'
export { seekEnd } from './seek-end.ts'
export {
  defineStruct,
  type FieldLayout,
  type FieldType,
  type FixedStruct,
  type Struct,
  type StructView,
} from './struct.ts'
export * from './sysfs/index.ts'
export * from './uapi/iommufd.ts'
export * from './uapi/iommufd-faults.ts'
export * from './uapi/iommufd-newer.ts'
export * from './uapi/iommufd-page-tables.ts'
export * from './uapi/vfio.ts'
export * from './uapi/vfio-dirty-pages.ts'
export * from './uapi/vfio-features.ts'
export * from './uapi/vfio-migration.ts'
export * from './uapi/vfio-reset.ts'
export { type WaitOptions, waitUntil } from './wait-until.ts'
