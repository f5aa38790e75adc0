/** Which kernel driver reported: Intel's VT-d, AMD-Vi or virtio-iommu. */
export type IommuDriver = 'intel' | 'amd' | 'virtio'

/** A DMA that the IOMMU refused, as the kernel reported it. */
export interface DmaFault {
  /** Tells it from what was lost. */
  readonly kind: 'fault'
  /** Whose driver reported it. */
  readonly iommu: IommuDriver
  /**
   * PCI address of the device, such as `0000:00:02.0`.
   *
   * Intel's reports lack the PCI segment, which reads as `0000` then. Those of virtio-iommu name an endpoint, which is
   * taken for the segment in its upper and the requester id in its lower 16 bits, as firmware numbers them.
   */
  readonly device: string
  /**
   * Where the device wanted to go; `undefined` when the report does not say. Intel's reports round it down to 4 KiB, so
   * compare pages: `fault.iova >> 12n`.
   */
  readonly iova: bigint | undefined
  /** What it wanted there; `undefined` when the report does not say, as QEMU's virtio-iommu for what is not mapped. */
  readonly access: 'read' | 'write' | undefined
  /** Why it was refused, in the report's words. */
  readonly reason: string
  /** The number that the report gives for it: Intel's fault reason, AMD's flags; virtio-iommu has none. */
  readonly code: number | undefined
  /** When the kernel wrote the report: microseconds since boot. */
  readonly at: number
}

/**
 * Faults that were not reported: somewhere between the IOMMU and the reader they were dropped.
 *
 * - `rate-limit`: the kernel prints some faults in five seconds and hides the others. It says so only when the next fault
 *   comes after those five seconds. `count` is the calls that it hid, of which Intel's driver makes about three a fault.
 * - `iommu-overflow`: the IOMMU had no room to record them.
 * - `log-overrun`: the kernel's log went round before it was read. `count` is its records, of all kinds.
 * - `backlog`: this watcher took too long. `count` is the events that were dropped, the oldest first.
 */
export interface FaultsLost {
  /** Tells it from a fault. */
  readonly kind: 'lost'
  /** Why they are missing. */
  readonly cause: 'rate-limit' | 'iommu-overflow' | 'log-overrun' | 'backlog'
  /** How many of what `cause` says; `undefined` when nobody counted. It is no number of faults. */
  readonly count: number | undefined
  /** When this was noticed: the time stamp of the kernel's record, in microseconds since boot. */
  readonly at: number
}

/** What a watcher of faults is told. */
export type FaultEvent = DmaFault | FaultsLost
