/** A process that holds a VFIO group, device or container open. */
export interface Holder {
  /** Process id. */
  readonly pid: number
  /**
   * The process's name: as `/proc/<pid>/comm` has it, but that of its program (`node`) where the process bears the name of
   * a thread (`MainThread`) or a name that was cut short. Control characters are replaced.
   */
  readonly command: string
}

/** A device that stands in the way, and the driver that holds it (`undefined` when none does). */
export interface Culprit {
  /** PCI address, such as `0000:00:1f.2`. */
  readonly address: string
  /** Name of the kernel driver that the device is bound to. */
  readonly driver: string | undefined
}

/** A range of I/O virtual addresses, inclusive at both ends, as the kernel gives them. */
export interface InclusiveRange {
  readonly start: bigint
  readonly last: bigint
}

/**
 * Every error code of Openbar, with the context that an error of that code carries.
 *
 * Codes are stable: a code that was published keeps its name and its context's fields.
 */
export interface ErrorContexts {
  /** The package needs Linux on x86-64. */
  ERR_UNSUPPORTED_PLATFORM: { readonly platform: string; readonly arch: string }
  /** A system call failed in a way that has no code of its own. */
  ERR_SYSCALL: { readonly target: string }
  /** An argument has the wrong type, sign, size or form. */
  ERR_INVALID_ARGUMENT: { readonly argument: string; readonly value: unknown }
  /** The object was closed, revoked or detached before this call. */
  ERR_CLOSED: { readonly what: string }
  /** A wait came to its end before what it waited for. */
  ERR_TIMEOUT: { readonly waitedFor: string; readonly milliseconds: number }
  /** This process may not open or use something. */
  ERR_PERMISSION: { readonly target: string }
  /** There is no such PCI device. */
  ERR_NO_DEVICE: { readonly address: string }
  /** The device was removed or no longer answers. */
  ERR_DEVICE_GONE: { readonly address: string }
  /** The device is held by somebody else. */
  ERR_DEVICE_BUSY: { readonly address: string; readonly holders: readonly Holder[] }
  /** The device answered something that it should not have. */
  ERR_DEVICE_FAULT: { readonly address: string; readonly what: string }
  /** The device, kernel or IOMMU does not have what was asked for. */
  ERR_NOT_SUPPORTED: { readonly what: string }
  /** Binding a device to a driver, or unbinding it, failed at the named step. */
  ERR_DRIVER_BINDING: { readonly address: string; readonly driver: string | undefined; readonly step: string }
  /** The device is bound to a driver that is not a VFIO driver. */
  ERR_NOT_BOUND: { readonly address: string; readonly driver: string | undefined }
  /** Config space is malformed at the named offset. */
  ERR_CONFIG_SPACE: { readonly offset: number }
  /** The device is in no IOMMU group: the IOMMU is absent or switched off. */
  ERR_NO_IOMMU: { readonly address: string }
  /** The kernel offers none of the interfaces that a domain can be built on, or not the one asked for. */
  ERR_NO_BACKEND: { readonly backend: string }
  /** Another device of the IOMMU group is bound to a driver that is not a VFIO driver. */
  ERR_GROUP_NOT_VIABLE: { readonly group: number; readonly culprits: readonly Culprit[] }
  /** The IOMMU group is open in another process, or in use by another domain. */
  ERR_GROUP_BUSY: { readonly group: number; readonly holders: readonly Holder[] }
  /** The device has no domain, so none of its registers can be reached. */
  ERR_NO_DOMAIN: { readonly address: string }
  /** The domain is still in use, or is not of the kind that the call needs. */
  ERR_DOMAIN_STATE: { readonly state: string }
  /** An IOVA, a length or a memory address is not a multiple of the IOMMU's page size. */
  ERR_IOVA_ALIGNMENT: { readonly iova: bigint; readonly size: bigint; readonly alignment: bigint }
  /** A range lies outside what the IOMMU can translate, or in a reserved part of it. */
  ERR_IOVA_RANGE: { readonly iova: bigint; readonly size: bigint; readonly ranges: readonly InclusiveRange[] }
  /** A range overlaps a mapping that is already there. */
  ERR_IOVA_IN_USE: { readonly iova: bigint; readonly size: bigint }
  /** No free range of the wanted size is left. */
  ERR_IOVA_EXHAUSTED: { readonly size: bigint; readonly ranges: readonly InclusiveRange[] }
  /** Nothing is mapped there. */
  ERR_NOT_MAPPED: { readonly iova: bigint; readonly size: bigint }
  /** RLIMIT_MEMLOCK does not allow that much pinned memory. All sizes are in bytes. */
  ERR_MEMLOCK: { readonly need: bigint; readonly limit: bigint | undefined; readonly locked: bigint | undefined }
  /** The kernel's limit on the number of mappings is reached. */
  ERR_MAPPING_LIMIT: { readonly limit: number }
  /** Memory of this kind cannot be mapped for DMA. */
  ERR_MEMORY_KIND: { readonly kind: string }
  /** Too few hugepages can be had. Page size in bytes, the rest in hugepages; undefined where the kernel has none of that size. */
  ERR_NO_HUGEPAGES: {
    readonly pageSize: number
    readonly need: number
    readonly free: number | undefined
    readonly total: number | undefined
  }
  /** An access lies outside its region. Offset, width and size are in bytes. */
  ERR_OUT_OF_BOUNDS: { readonly offset: number; readonly width: number; readonly size: number }
  /** An access is not aligned to its own width. Offset and width are in bytes. */
  ERR_MISALIGNED: { readonly offset: number; readonly width: number }
  /** The device's region cannot be reached now, or not in that way. */
  ERR_REGION: { readonly address: string; readonly region: string }
  /** A reset would hit devices that are not this program's, which are named. */
  ERR_RESET_SCOPE: { readonly address: string; readonly culprits: readonly Culprit[] }
  /** The device is in low power, from which it is woken before anything else. */
  ERR_LOW_POWER: { readonly address: string }
  /** An interrupt could not be set up. */
  ERR_INTERRUPT: { readonly address: string; readonly kind: string }
}

/** A stable code that says what went wrong. */
export type ErrorCode = keyof ErrorContexts
