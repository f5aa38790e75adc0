import { type Holder, type LockedMemory, lockedMemory } from '@openbar/linux'
import { type KernelInterfaces, kernelInterfaces } from '../backend/select-backend.ts'
import type { DomainSnapshot } from '../domain-snapshot.ts'
import { type GroupHolders, groupHolders } from '../groups/group-holders.ts'
import { type Group, groups } from '../groups/groups.ts'
import { scanHolders } from '../groups/scan-holders.ts'
import { CONTAINER_FILE, IOMMUFD_FILE } from '../groups/vfio-files.ts'
import { openDomains } from './domain-registry.ts'

/** An IOMMU group, and who has it open. */
export type WorldGroup = Group & GroupHolders

/** What there is of domains, groups, devices, mappings and holders, at one moment. */
export interface World {
  /** The id of the process that looked: the one whose domains and memory these are. */
  readonly pid: number
  /** The kernel interfaces that domains can stand on. */
  readonly interfaces: KernelInterfaces
  /** What this process has pinned, and may pin. */
  readonly memory: LockedMemory
  /** The domains of this process, in the order of opening; a closed one as long as devices hold it. */
  readonly domains: readonly DomainSnapshot[]
  /** The IOMMU groups of the machine, by number. */
  readonly groups: readonly WorldGroup[]
  /** The processes that have containers of type1 open. */
  readonly containerHolders: readonly Holder[]
  /** The processes that have contexts of iommufd open. */
  readonly iommufdHolders: readonly Holder[]
  /** How many processes could not be looked into for what they hold. Root, with all of its capabilities, can. */
  readonly unreadableProcesses: number
}

/**
 * Looks at the state of the world: this process's domains, the machine's groups, and who holds what.
 *
 * It opens no device and asks no driver: it reads sysfs and /proc, and may be called at any time by any user.
 *
 * @throws {@link OpenbarError} `ERR_PERMISSION` or `ERR_SYSCALL` when sysfs cannot be read.
 * @see Linux ABI: sysfs-kernel-iommu_groups; proc(5): `/proc/<pid>/fd`, `/proc/<pid>/status`
 *
 * @example
 * ```ts
 * for (const { id, holders } of world().groups) console.log(id, holders)
 * ```
 */
export function world(): World {
  const scan = scanHolders()
  return {
    pid: process.pid,
    interfaces: kernelInterfaces(),
    memory: lockedMemory(),
    domains: openDomains().map((domain) => domain.snapshot()),
    groups: groups().map((group) => ({ ...group, ...groupHolders(scan, group) })),
    containerHolders: scan.files.get(CONTAINER_FILE) ?? [],
    iommufdHolders: scan.files.get(IOMMUFD_FILE) ?? [],
    unreadableProcesses: scan.unreadable,
  }
}
