import { existsSync } from 'node:fs'
import {
  closeFd,
  Errno,
  type Fd,
  ioctl,
  OpenbarError,
  openFd,
  ownFd,
  syscallError,
  tryIoctl,
  VFIO_GROUP_FLAGS_VIABLE,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_GET_STATUS,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_GROUP_UNSET_CONTAINER,
  vfioGroupStatus,
} from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { assertTranslated } from './assert-translated.ts'
import { groupBusyError } from './group-busy-error.ts'
import { readGroup } from './groups.ts'
import { holdGroup } from './held-groups.ts'
import { notViableError } from './not-viable-error.ts'
import { vfTokenError } from './vf-token-error.ts'

/**
 * A VFIO group that this process holds open. The kernel lets it be opened once, so all devices of the group share it.
 */
export class GroupHandle {
  readonly id: number
  readonly #fd: Fd<'group'>
  readonly #letGo: () => void

  private constructor(id: number, fd: Fd<'group'>) {
    this.id = id
    this.#fd = fd
    this.#letGo = holdGroup(id, fd)
  }

  /**
   * Opens the group of a device.
   *
   * @param path - The group's file; `/dev/vfio/<group>` where an IOMMU stands in front of it.
   * @throws {@link OpenbarError} `ERR_GROUP_BUSY` naming the holder, `ERR_GROUP_NOT_VIABLE` naming the culprits,
   *   `ERR_PERMISSION`, `ERR_NOT_BOUND` when no device of the group is bound to a VFIO driver, `ERR_NO_IOMMU`.
   */
  static open(device: Attachable, path = `/dev/vfio/${device.group}`): GroupHandle {
    const { group: id, address } = device
    if (!existsSync(path)) {
      assertTranslated(device)
      throw new OpenbarError('ERR_NOT_BOUND', {
        message: `${address} cannot be opened: IOMMU group ${id} has no device bound to vfio-pci, so there is no ${path}.`,
        hint: `Bind it first: Device.open('${address}', { bind: true }).`,
        context: { address, driver: undefined },
      })
    }
    const handle = new GroupHandle(id, openGroup(device, path))
    const status = vfioGroupStatus.allocate()
    status.argsz = vfioGroupStatus.size
    try {
      ioctl(handle.#fd, VFIO_GROUP_GET_STATUS, status, path)
      if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) === 0) throw notViableError(readGroup(id))
    } catch (error) {
      handle.close()
      throw error
    }
    return handle
  }

  /** Puts the group into a container. */
  setContainer(container: Fd<'container'>): void {
    const argument = new Uint8Array(Int32Array.of(container).buffer)
    const result = tryIoctl(this.#fd, VFIO_GROUP_SET_CONTAINER, argument)
    if (result >= 0) return
    if (result === -Errno.EPERM) throw unsafeInterruptsError(this.id)
    throw syscallError(
      'ioctl(VFIO_GROUP_SET_CONTAINER)',
      -result,
      `group ${this.id}`,
      'Its devices may sit behind another IOMMU than those that the domain holds, or may not reach an address that the domain has mapped.',
    )
  }

  /** Takes the group out of its container; every device fd of the group is closed before. */
  unsetContainer(): void {
    const result = tryIoctl(this.#fd, VFIO_GROUP_UNSET_CONTAINER)
    // The kernel has taken it out by itself when the group's last device was unbound or unplugged meanwhile.
    if (result < 0 && result !== -Errno.EINVAL) {
      throw syscallError('ioctl(VFIO_GROUP_UNSET_CONTAINER)', -result, `group ${this.id}`)
    }
  }

  /** Opens one of the group's devices. Only after the container has its IOMMU. */
  openDevice(device: Attachable): Fd<'device'> {
    const { address, vfToken } = device
    const name = new TextEncoder().encode(vfToken === undefined ? `${address}\0` : `${address} vf_token=${vfToken}\0`)
    const result = tryIoctl(this.#fd, VFIO_GROUP_GET_DEVICE_FD, name)
    if (result >= 0) return ownFd(result)
    if (result === -Errno.ENODEV) {
      throw new OpenbarError('ERR_NOT_BOUND', {
        message: `${address} cannot be opened: it is not bound to a VFIO driver.`,
        hint: `Bind it first: Device.open('${address}', { bind: true }).`,
        context: { address, driver: undefined },
        errno: -result,
        syscall: 'ioctl(VFIO_GROUP_GET_DEVICE_FD)',
      })
    }
    const syscall = 'ioctl(VFIO_GROUP_GET_DEVICE_FD)'
    throw vfTokenError(device, -result, syscall) ?? syscallError(syscall, -result, address)
  }

  close(): void {
    this.#letGo()
    closeFd(this.#fd)
  }
}

function openGroup(device: Attachable, path: string): Fd<'group'> {
  try {
    return openFd(path)
  } catch (error) {
    if (!(error instanceof OpenbarError) || error.errno !== Errno.EBUSY) throw error
    throw groupBusyError(device, { errno: error.errno, syscall: 'open', cause: error })
  }
}

/** The kernel's answer where interrupts are not isolated between devices, as behind a virtio-iommu. */
export function unsafeInterruptsError(group: number): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `Group ${group} cannot join a domain: this machine's IOMMU does not remap interrupts, so a device could forge them.`,
    hint: 'Switch interrupt remapping on in the firmware; or, where every device is trusted, accept the risk: modprobe vfio_iommu_type1 allow_unsafe_interrupts=1 (for iommufd: modprobe iommufd allow_unsafe_interrupts=1).',
    context: { what: 'interrupt remapping' },
    errno: Errno.EPERM,
  })
}
