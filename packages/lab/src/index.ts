export { type EnsureKernelOptions, ensureKernel } from './kernel/ensure-kernel.ts'
export { type Kernel, type KernelKind, kernelKinds } from './kernel/kernel.ts'
export type { BootOptions } from './lab/boot-options.ts'
export { Lab } from './lab/lab.ts'
export type { LabDescription } from './lab/lab-description.ts'
export type { RunOptions, RunResult } from './lab/run-options.ts'
export { LabError, type LabErrorCode, type LabErrorDetails } from './lab-error.ts'
export type {
  BusKind,
  DeviceOption,
  IommuKind,
  MachineOptions,
  NetworkOption,
  NicOption,
} from './qemu/machine-options.ts'
export type { Qmp, QmpArguments, QmpClient, QmpEvent, QmpWaitOptions } from './qemu/qmp.ts'
export type { LabDevice } from './qemu/topology.ts'
export { cacheRoot } from './util/cache.ts'
export { type Progress, streamProgress } from './util/progress.ts'
