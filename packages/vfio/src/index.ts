export {
  type ErrorCode,
  type ErrorContexts,
  isOpenbarError,
  OpenbarError,
  type WaitOptions,
  waitUntil,
} from '@openbar/linux'
export {
  type BoundRegisters,
  bindRegisters,
  defineRegisters,
  dumpRegisters,
  type RegisterAccess,
  type TraceEvent,
  traceAccess,
  traceRegisters,
} from '@openbar/pci'
export { Device, type DeviceOptions } from './device/device.ts'
export type { DeviceInfo } from './device/device-info.ts'
export type { DeviceErrorEvent, DeviceEvent, ReleaseRequestEvent } from './events/device-event.ts'
export type { Subscription } from './events/subscribers.ts'
export { DmaBuf, type DmaBufOptions } from './features/dma-buf.ts'
export { DmaLogging, type DmaLoggingOptions, type LoggedRange } from './features/dma-logging.ts'
export type { FeatureName, FeatureSupport } from './features/feature-support.ts'
export type { IoEventOptions } from './features/io-event.ts'
export { IoEventFd } from './features/io-event-fd.ts'
export { Migration } from './features/migration.ts'
export type { MigrationState, MigrationSupport } from './features/migration-state.ts'
export { MigrationStream, type PreCopyInfo } from './features/migration-stream.ts'
export type { Confinement } from './hand-over/command-line.ts'
export { DeviceLauncher, type GiveOptions, type LauncherOptions } from './hand-over/device-launcher.ts'
export type { DriverProcess, StartOptions } from './hand-over/driver-process.ts'
export type { ReceiveDeviceOptions } from './hand-over/receive.ts'
export type { Tenant } from './hand-over/tenant.ts'
export type { InterruptInfo } from './interrupts/interrupt-info.ts'
export type { InterruptKind, SignalKind } from './interrupts/interrupt-kind.ts'
export type { InterruptVector, InterruptWaitOptions } from './interrupts/interrupt-vector.ts'
export type { EnabledInterrupts, EnableInterruptsOptions, Interrupts } from './interrupts/interrupts.ts'
export { type DevicePowerState, Power, type PowerSupport, type WakeUpOptions } from './power/power.ts'
export type { Region } from './region/region.ts'
export type { MappableArea, RegionCapability, RegionInfo } from './region/region-info.ts'
export type { HotResetDevice, HotResetInfo } from './reset/hot-reset-info.ts'
export type { ResetMethod, ResetMethods } from './reset/reset-methods.ts'
export type { RegisterWindow } from './window/register-window.ts'
export type { SharedRegisters } from './window/shared-registers.ts'
export { openSharedWindow } from './window/shared-window.ts'
