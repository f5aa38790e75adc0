import type { DmaBuffer, Domain, Mapping } from '@openbar/iommu'
import type { BoundRegisters } from '@openbar/pci'
import type { Device, InterruptVector, IoEventFd, Region, RegisterWindow, Subscription } from '@openbar/vfio'
import type { DeviceModel } from './model/device-model.ts'
import type { BufferModel, DomainModel } from './model/domain-model.ts'
import type { Scratch } from './model/scratch.ts'
import type { ListenerModel, VectorModel } from './model/vector-model.ts'
import type { ViewModel, WindowModel } from './model/view-model.ts'
import type { registers } from './registers.ts'

/** What the program holds, each beside what the model has of it. Some of it is of no use any more, on purpose. */
export interface DomainHandle {
  readonly real: Domain
  readonly model: DomainModel
}

export interface DeviceHandle {
  readonly real: Device
  readonly model: DeviceModel
  /** Kept from when the device was in a domain. */
  config: Device['config'] | undefined
}

export interface RegionHandle {
  readonly real: Region
  readonly device: DeviceHandle
}

export interface WindowHandle {
  readonly real: RegisterWindow
  readonly model: WindowModel
  readonly device: DeviceHandle
}

/** The bare arrays of a window, from when it had some. */
export interface ArraysHandle {
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly u32: Uint32Array
  readonly u64: BigUint64Array
  readonly window: WindowHandle
}

/** Memory that the program has transferred away from a window or a buffer. */
export interface StolenHandle {
  readonly u32: Uint32Array
  /** Which words of it are tried, from which one on. */
  readonly first: number
  readonly words: number
  /** What they hold. */
  readonly model: () => Scratch
}

export interface RegistersHandle {
  readonly real: BoundRegisters<typeof registers>
  readonly window: WindowHandle
  /** Whether they were bound to memory, where a write is one store, which nothing looks at. */
  readonly stores: boolean
  trace: Disposable | undefined
  told: number
  due: number
}

export interface EventHandle {
  readonly real: IoEventFd
  readonly model: ViewModel
  readonly device: DeviceHandle
  readonly word: number
  readonly value: number
}

export interface VectorHandle {
  readonly real: InterruptVector
  readonly model: VectorModel
}

export interface ListenerHandle {
  readonly real: Subscription
  readonly model: ListenerModel
  /** Ends it in the model. */
  readonly leave: () => void
  told: number
  ended: boolean
}

export interface BufferHandle {
  readonly real: DmaBuffer
  readonly model: BufferModel
  readonly domain: DomainHandle
}

export interface MappingHandle {
  readonly real: Mapping
  readonly domain: DomainHandle
}
