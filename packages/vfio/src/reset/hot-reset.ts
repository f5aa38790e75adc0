import { heldGroup, isVfioDriver } from '@openbar/iommu'
import { Errno, OpenbarError, tryIoctl, VFIO_DEVICE_PCI_HOT_RESET, vfioPciHotReset } from '@openbar/linux'
import { openDevicesAt } from '../device/open-devices.ts'
import { attempt } from './attempt.ts'
import { type HotResetDevice, type HotResetInfo, readHotResetInfo } from './hot-reset-info.ts'
import { assertNotAskedFor, QUIET, resetError } from './reset-errors.ts'
import type { ResetOwner } from './reset-owner.ts'

/**
 * Resets a device's bus or slot, with all devices on it. Each that this program has open is made ready first.
 *
 * @returns What was reset.
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED`, `ERR_RESET_SCOPE`, with nothing changed; `ERR_DEVICE_BUSY` when the kernel
 *   has asked for the device back, with nothing changed, or has one locked, and `ERR_SYSCALL` when it fails to: the devices are quiet then.
 * @see linux/vfio.h, `VFIO_DEVICE_PCI_HOT_RESET`; drivers/vfio/pci/vfio_pci_core.c, `vfio_pci_dev_set_hot_reset`
 */
export function resetBus(owner: ResetOwner): HotResetInfo {
  const { fd, address } = owner
  // Asked first: a device that is about to be unbound counts as bound to no driver, which would be blamed.
  assertNotAskedFor(owner)
  const info = readHotResetInfo(fd, address)
  assertPossible(info, address)
  const request = hotResetRequest(info)
  const targets = new Set([owner, ...info.devices.flatMap((device) => openDevicesAt(device.address))])
  const reason = `the device was reset, with its bus, by way of ${address}`
  const putBacks = [...targets].map((device) => device.beforeReset(reason))
  const result = attempt(() => tryIoctl(fd, VFIO_DEVICE_PCI_HOT_RESET, request))
  if (result < 0) {
    // That late it means that the kernel has reset the bus, and did not see the link come up again.
    const hint = result === -Errno.ENOTTY ? `The link did not come up in time: dmesg says more. ${QUIET}` : QUIET
    throw resetError('ioctl(VFIO_DEVICE_PCI_HOT_RESET)', -result, owner, nameAll(info.devices), hint)
  }
  using steps = new DisposableStack()
  for (const putBack of putBacks) steps.defer(putBack)
  return info
}

function hotResetRequest({ proof, devices }: HotResetInfo): Uint8Array {
  const groups = proof === 'context' ? [] : [...new Set(devices.map(({ group }) => group))]
  const fds = groups.flatMap((group) => (group === undefined ? [] : (heldGroup(group) ?? [])))
  const request = vfioPciHotReset.allocate(fds.length * 4)
  request.argsz = request.bytes.byteLength
  request.count = fds.length
  fds.forEach((fd, index) => {
    request.view.setInt32(vfioPciHotReset.size + index * 4, fd, true)
  })
  return request.bytes
}

function assertPossible({ available, possible, devices, proof }: HotResetInfo, address: string): void {
  if (!available) {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${address} cannot be reset with its bus: nothing can reset the bus that it is on, as is so on a root bus.`,
      hint: 'Reset the function alone where that is possible: device.reset().',
      context: { what: 'hot reset' },
    })
  }
  if (possible) return
  const culprits = devices.filter(({ owned }) => !owned)
  const others = culprits.map((device) => `${device.address} (${whyNotOurs(device, proof)})`)
  throw new OpenbarError('ERR_RESET_SCOPE', {
    message: `A hot reset of ${address} resets ${nameAll(devices)}; not this program's: ${others.join(', ')}.`,
    hint:
      proof === 'context'
        ? 'Bind each to vfio-pci and open it here, in a domain of the same iommufd context (without `isolated`), or reset the function alone: device.reset().'
        : 'Bind each to vfio-pci and open one device of its group here, or reset the function alone: device.reset().',
    context: { address, culprits: culprits.map((device) => ({ address: device.address, driver: device.driver })) },
  })
}

function whyNotOurs({ driver, group }: HotResetDevice, proof: HotResetInfo['proof']): string {
  if (driver === undefined) return 'bound to no driver'
  if (!isVfioDriver(driver)) return `bound to ${driver}`
  return proof === 'context'
    ? 'not in the iommufd context of this device'
    : `group ${group ?? 'unknown'}, which is not open here`
}

function nameAll(devices: readonly HotResetDevice[]): string {
  return devices.map(({ address }) => address).join(', ')
}
