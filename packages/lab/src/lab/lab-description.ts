import type { KernelKind } from '../kernel/kernel.ts'
import type { IommuKind } from '../qemu/machine-options.ts'
import type { LabDevice } from '../qemu/topology.ts'

/** What a program in the guest can know about the machine that it runs in. */
export interface LabDescription {
  readonly kernel: KernelKind
  /** What `uname -r` says. */
  readonly release: string
  readonly iommu: IommuKind
  readonly accel: 'tcg' | 'kvm'
  /** The clock counts instructions: 1 ns each. */
  readonly icount: boolean
  readonly devices: readonly LabDevice[]
  /** QEMU's ids of the empty root ports, for `device_add`. */
  readonly sparePorts: readonly string[]
}
