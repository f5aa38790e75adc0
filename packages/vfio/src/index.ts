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
  traceAccess,
} from '@openbar/pci'
export { Device, type DeviceOptions } from './device/device.ts'
export type { DeviceInfo } from './device/device-info.ts'
export type { DeviceErrorEvent, DeviceEvent, ReleaseRequestEvent } from './events/device-event.ts'
export type { Subscription } from './events/subscribers.ts'
export type { Confinement } from './hand-over/command-line.ts'
export { DeviceLauncher, type GiveOptions, type LauncherOptions } from './hand-over/device-launcher.ts'
export type { DriverProcess, StartOptions } from './hand-over/driver-process.ts'
export type { ReceiveDeviceOptions } from './hand-over/receive.ts'
export type { Tenant } from './hand-over/tenant.ts'
export type { InterruptKind } from './interrupts/interrupt-kind.ts'
export type { InterruptVector, InterruptWaitOptions } from './interrupts/interrupt-vector.ts'
export type { EnabledInterrupts, InterruptInfo, Interrupts } from './interrupts/interrupts.ts'
export type { Region } from './region/region.ts'
export type { MappableArea, RegionInfo } from './region/region-info.ts'
export type { RegisterWindow } from './window/register-window.ts'
