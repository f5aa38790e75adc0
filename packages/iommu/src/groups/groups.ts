import { existsSync } from 'node:fs'
import { type Culprit, listDirectory, readLinkName, readText } from '@openbar/linux'
import { groupFileName } from './vfio-files.ts'

/** A range of addresses that devices of a group cannot use for DMA, with the kernel's word for why. */
export interface ReservedRegion {
  /** The first address. */
  readonly start: bigint
  /** The last address. */
  readonly last: bigint
  /** `direct`, `direct-relaxable`, `reserved`, `msi`. */
  readonly kind: string
}

/** A device of an IOMMU group. */
export interface GroupDevice extends Culprit {
  /** The path of its VFIO character device, such as `/dev/vfio/devices/vfio0`; `undefined` where it has none. */
  readonly cdev: string | undefined
}

/** An IOMMU group: the smallest set of devices that the IOMMU can tell from others. It moves as a whole. */
export interface Group {
  /** The number of the group, as in `/sys/kernel/iommu_groups`. */
  readonly id: number
  /** The kernel's default domain type, such as `DMA-FQ` or `identity`; `undefined` where the kernel does not say. */
  readonly type: string | undefined
  /** All devices of the group, whatever they are bound to. */
  readonly devices: readonly GroupDevice[]
  /** The group's VFIO file, such as `/dev/vfio/12`; `undefined` while no device of the group has a VFIO driver. */
  readonly file: string | undefined
  /** Whether no IOMMU stands behind the group: VFIO made it up for a device in its unsafe no-IOMMU mode. */
  readonly noIommu: boolean
  /** Where its devices cannot be given memory. */
  readonly reservedRegions: readonly ReservedRegion[]
  /** Whether a program may own the group: every device is bound to a VFIO driver, to none, or is a bridge. */
  readonly viable: boolean
  /** The devices that stand in the way. */
  readonly culprits: readonly Culprit[]
}

const SYSFS = '/sys'

/**
 * All IOMMU groups of the machine, by number.
 *
 * @returns None when the IOMMU is absent or switched off.
 * @throws {@link OpenbarError} `ERR_PERMISSION` or `ERR_SYSCALL` when sysfs cannot be read.
 * @see Linux ABI: sysfs-kernel-iommu_groups
 *
 * @example
 * ```ts
 * for (const { id, viable, culprits } of groups()) console.log(id, viable, culprits)
 * ```
 */
export function groups(): Group[] {
  return groupsUnder(SYSFS)
}

/** {@link groups} of the sysfs that is mounted at a path. */
export function groupsUnder(sysfs: string): Group[] {
  return listDirectory(`${sysfs}/kernel/iommu_groups`)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
    .map((id) => readGroupUnder(sysfs, id))
}

/**
 * One IOMMU group, by number. A number that no group has reads as a group without devices.
 *
 * @throws {@link OpenbarError} `ERR_PERMISSION` or `ERR_SYSCALL` when sysfs cannot be read.
 *
 * @example
 * ```ts
 * readGroup(1).devices // [{ address: '0000:00:02.0', driver: 'vfio-pci', cdev: '/dev/vfio/devices/vfio0' }]
 * ```
 */
export function readGroup(id: number): Group {
  return readGroupUnder(SYSFS, id)
}

/** {@link readGroup} of the sysfs that is mounted at a path. */
export function readGroupUnder(sysfs: string, id: number): Group {
  const path = `${sysfs}/kernel/iommu_groups/${id}`
  const devices = listDirectory(`${path}/devices`).map((address) => ({
    address,
    driver: readLinkName(`${path}/devices/${address}/driver`),
    cdev: cdevOf(`${path}/devices/${address}`),
  }))
  const noIommu = readText(`${path}/name`) === 'vfio-noiommu'
  const file = groupFileName(id, noIommu)
  const culprits = devices.filter(({ driver }) => driver !== undefined && !leavesGroupViable(driver))
  return {
    id,
    type: readText(`${path}/type`),
    devices,
    file: existsSync(`${sysfs}/class/vfio/${file}`) ? `/dev/vfio/${file}` : undefined,
    noIommu,
    reservedRegions: parseReservedRegions(readText(`${path}/reserved_regions`) ?? ''),
    viable: culprits.length === 0,
    culprits,
  }
}

/** The kernel's `reserved_regions` file: a line each of first address, last address and kind. */
export function parseReservedRegions(text: string): ReservedRegion[] {
  return Array.from(text.matchAll(/^(0x[\da-f]+) (0x[\da-f]+) (\S+)$/gm), ([, start = '', last = '', kind = '']) => ({
    start: BigInt(start),
    last: BigInt(last),
    kind,
  }))
}

/** Kernels without such devices of VFIO name them all the same, but give them no device number. */
function cdevOf(device: string): string | undefined {
  const [name] = listDirectory(`${device}/vfio-dev`)
  return name !== undefined && existsSync(`${device}/vfio-dev/${name}/dev`) ? `/dev/vfio/devices/${name}` : undefined
}

/** VFIO drivers, and those that never do DMA for the kernel (drivers/vfio: vfio_dev_driver_allowed). */
function leavesGroupViable(driver: string): boolean {
  return driver === 'pci-stub' || driver === 'pcieport' || isVfioDriver(driver)
}

/**
 * Whether a kernel driver gives its devices to user space through VFIO: vfio-pci, or a vendor's variant of it.
 *
 * @example
 * ```ts
 * isVfioDriver('mlx5_vfio_pci') // true
 * ```
 */
export function isVfioDriver(driver: string): boolean {
  return /(^|[-_])vfio([-_]|$)/.test(driver)
}
