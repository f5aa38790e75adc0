import type { PciAddress } from '../address/pci-address.ts'
import type { PciBar, PciResource } from './resource.ts'

/** What sysfs tells about a PCI function (kernel ABI: Documentation/ABI/testing/sysfs-bus-pci). */
export interface PciFunction {
  readonly address: PciAddress
  readonly vendorId: number
  readonly deviceId: number
  readonly subsystemVendorId: number
  readonly subsystemId: number
  readonly revisionId: number
  /** Base class, subclass and programming interface in 24 bits: `0x020000` is an Ethernet controller. */
  readonly classCode: number
  /** The kernel driver that the function is bound to. */
  readonly driver: string | undefined
  /**
   * The only driver that may bind the function, when one was set. Read anew at each use, as the kernel takes the
   * function's lock for it: the read waits while a driver is being bound or unbound, and for good when that hangs.
   */
  readonly driverOverride: string | undefined
  /** IOMMU group; `undefined` when the IOMMU is absent or switched off. */
  readonly iommuGroup: number | undefined
  /** NUMA node that the function is near; `undefined` when the kernel does not know. */
  readonly numaNode: number | undefined
  /** The BARs that are implemented, in order. */
  readonly bars: readonly PciBar[]
  readonly expansionRom: PciResource | undefined
}
