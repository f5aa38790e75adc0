import { heldGroup, isVfioDriver } from '@openbar/iommu'
import { type Fd, readLinkName } from '@openbar/linux'
import { openDevicesAt } from '../device/open-devices.ts'
import { type DependentDevice, readDependentDevices } from './dependent-devices.ts'

/** A device that a hot reset resets. */
export interface HotResetDevice {
  /** PCI address, such as `0000:01:02.0`. */
  readonly address: string
  /** Number of its IOMMU group; `undefined` where it has none, or it cannot be told. */
  readonly group: number | undefined
  /** The kernel driver that it is bound to; `undefined` when it has none, or it cannot be told. */
  readonly driver: string | undefined
  /**
   * Whether the kernel takes it for this program's. Opened through groups: its group is open in this program. On iommufd: it is
   * in the iommufd context of the device that was asked, or is a neighbour in the group of one that is.
   */
  readonly owned: boolean
  /** Whether this program has it open, so that its windows and interrupts go before the reset. */
  readonly open: boolean
}

/** What a hot reset of a device would do. */
export interface HotResetInfo {
  /** Whether the device's bus or slot can be reset at all. Not so on a root bus. */
  readonly available: boolean
  /** All that it resets, the device itself included; none when it is not available. */
  readonly devices: readonly HotResetDevice[]
  /** Whether `device.hotReset()` can be done: it is available, and all devices are this program's. */
  readonly possible: boolean
  /** How the kernel wants that shown: by the files of the groups, or by the one iommufd context that all are in. */
  readonly proof: 'groups' | 'context'
}

const DEVICES = '/sys/bus/pci/devices'

/**
 * What a hot reset of a device would reset, and whose that is.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` when the kernel does not tell, as for a device on whose bus another is in no group.
 */
export function readHotResetInfo(fd: Fd<'device'>, address: string): HotResetInfo {
  const dependents = readDependentDevices(fd, address)
  const devices = (dependents ?? []).map(describe)
  return {
    available: dependents !== undefined,
    devices,
    possible: devices.length > 0 && devices.every(({ owned }) => owned),
    proof: dependents?.some(({ ofContext }) => ofContext !== undefined) === true ? 'context' : 'groups',
  }
}

function describe({ address, group, ofContext }: DependentDevice): HotResetDevice {
  const driver = readLinkName(`${DEVICES}/${address}/driver`)
  const link = group === undefined ? readLinkName(`${DEVICES}/${address}/iommu_group`) : undefined
  return {
    address,
    group: group ?? (link === undefined ? undefined : Number(link)),
    driver,
    owned: ofContext ?? isOurs(group, driver, address),
    open: openDevicesAt(address).length > 0,
  }
}

/** By its group, and only with a VFIO driver: the kernel resets no device whose driver would not hear of it. */
function isOurs(group: number | undefined, driver: string | undefined, address: string): boolean {
  if (group === undefined || heldGroup(group) === undefined) return false
  if (driver !== undefined) return isVfioDriver(driver)
  // One without a driver stands in the way too; but a program without sysfs cannot tell.
  return readLinkName(`${DEVICES}/${address}/subsystem`) === undefined
}
