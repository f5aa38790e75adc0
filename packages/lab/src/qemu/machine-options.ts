import type { KernelKind } from '../kernel/kernel.ts'

/** Which IOMMU the machine has. `virtio` has no interrupt remapping, and the lab allows unsafe interrupts for it. */
export type IommuKind = 'intel' | 'amd' | 'virtio' | 'none'

/**
 * Where a device is plugged in: on the root bus, where each is alone in its IOMMU group; behind a root port of its own, from
 * which it can be unplugged; or behind the machine's one PCI bridge, where all share one group.
 */
export type BusKind = 'root' | 'port' | 'bridge'

/**
 * What a NIC is connected to: QEMU's user network, whose gateway 10.0.2.2 answers pings; a hub inside QEMU, by number,
 * shared by all NICs on it; a socket, with the options of QEMU's `-netdev socket`; or nothing.
 */
export type NetworkOption =
  | 'user'
  | 'none'
  | { readonly hub: number }
  | { readonly socket: Readonly<Record<string, string>> }

/** A PCI device of any kind, by the name that QEMU has for it. */
export interface DeviceOption {
  /** QEMU's name: `edu`, `nvme`, … */
  readonly model: string
  /** Default `root`. */
  readonly bus?: BusKind
  /** QEMU's id for it, which `device_del` takes. Default `dev0`, `dev1`, … and `nic0`, `nic1`, … for NICs. */
  readonly id?: string
  /** Further properties, as QEMU names them. */
  readonly properties?: Readonly<Record<string, string>>
}

/** A network card. */
export interface NicOption extends DeviceOption {
  /** Default `user`. */
  readonly net?: NetworkOption
  /** Default: QEMU's own choice, 52:54:00:12:34:56 for the first. */
  readonly mac?: string
}

/** What machine to boot. */
export interface MachineOptions {
  /** Default `iommufd`. */
  readonly kernel?: KernelKind
  /** Default `intel`. */
  readonly iommu?: IommuKind
  /** In the order in which they are plugged in, from 0000:00:02.0 on. A string is a model. Default none. */
  readonly nics?: readonly (NicOption | string)[]
  /** Plugged in after the NICs. A string is a model. Default none. */
  readonly devices?: readonly (DeviceOption | string)[]
  /** Empty root ports for `device_add`, with the ids `spare0`, `spare1`, … Default 0. */
  readonly sparePorts?: number
  /** In MiB. Default 2048. */
  readonly memoryMiB?: number
  /** Virtual processors. Default 2; always 1 with `icount`. */
  readonly cores?: number
  /** Make the guest's clock count instructions, 1 ns each, so that times repeat on any machine. Default false. */
  readonly icount?: boolean
  /** `auto` uses KVM where a probe boot showed that it works. Default `auto`. */
  readonly accel?: 'auto' | 'tcg' | 'kvm'
  /** Modules to load before the first command, such as `e1000`, whose driver then takes its NICs. Default none. */
  readonly modules?: readonly string[]
  /** Further arguments for the guest's kernel. */
  readonly append?: readonly string[]
  /** Further arguments for QEMU. */
  readonly qemuArgs?: readonly string[]
}
