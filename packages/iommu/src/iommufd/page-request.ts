import {
  IOMMU_PGFAULT_FLAGS_LAST_PAGE,
  IOMMU_PGFAULT_FLAGS_PASID_VALID,
  IOMMU_PGFAULT_PERM_EXEC,
  IOMMU_PGFAULT_PERM_PRIV,
  IOMMU_PGFAULT_PERM_READ,
  IOMMU_PGFAULT_PERM_WRITE,
  iommuHwptPgfault,
} from '@openbar/linux'

/** A page that a device asks for. */
export interface PageRequest {
  /** The address that it could not reach. */
  readonly address: bigint
  /** Bytes that it is about to reach from there, a hint; 0 for none. */
  readonly length: number
  /** The device wants to read. */
  readonly read: boolean
  /** The device wants to write. */
  readonly write: boolean
  /** The device wants to execute what is there. */
  readonly execute: boolean
  /** The device asks in privileged mode. */
  readonly privileged: boolean
}

/** Pages that a device asks for together, and that are answered together. */
export interface PageRequestGroup {
  /** What the answer has to name: {@link FaultQueue.respond}. */
  readonly cookie: number
  /** The device's number in the context. */
  readonly deviceId: number
  /** The device's own number of the group. */
  readonly groupId: number
  /** The process address space that the device works in, where it named one. */
  readonly pasid: number | undefined
  /** One for each page, in the order of the kernel. */
  readonly requests: readonly PageRequest[]
}

/** Bytes of a request in what the kernel gives. */
export const PAGE_REQUEST_SIZE = iommuHwptPgfault.size

/**
 * Splits what was read from a fault queue into groups. The kernel gives whole groups only.
 *
 * @see linux/iommufd.h, `struct iommu_hwpt_pgfault`
 */
export function parsePageRequests(bytes: Uint8Array): PageRequestGroup[] {
  const groups: (PageRequestGroup & { readonly requests: PageRequest[] })[] = []
  let open: (typeof groups)[number] | undefined
  const fault = iommuHwptPgfault.allocate()
  for (let offset = 0; offset + PAGE_REQUEST_SIZE <= bytes.byteLength; offset += PAGE_REQUEST_SIZE) {
    fault.bytes.set(bytes.subarray(offset, offset + PAGE_REQUEST_SIZE))
    if (open === undefined || open.cookie !== fault.cookie) {
      open = {
        cookie: fault.cookie,
        deviceId: fault.dev_id,
        groupId: fault.grpid,
        pasid: (fault.flags & IOMMU_PGFAULT_FLAGS_PASID_VALID) === 0 ? undefined : fault.pasid,
        requests: [],
      }
      groups.push(open)
    }
    open.requests.push({
      address: fault.addr,
      length: fault.length,
      read: (fault.perm & IOMMU_PGFAULT_PERM_READ) !== 0,
      write: (fault.perm & IOMMU_PGFAULT_PERM_WRITE) !== 0,
      execute: (fault.perm & IOMMU_PGFAULT_PERM_EXEC) !== 0,
      privileged: (fault.perm & IOMMU_PGFAULT_PERM_PRIV) !== 0,
    })
    // A cookie that is free again may be that of the very next group.
    if ((fault.flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE) !== 0) open = undefined
  }
  return groups
}
