import {
  closeFd,
  Errno,
  type Fd,
  OpenbarError,
  openFd,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_DETACH_IOMMUFD_PT,
  vfioDeviceAttachIommufdPt,
  vfioDeviceBindIommufd,
  vfioDeviceDetachIommufdPt,
} from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { assertTranslated } from '../groups/assert-translated.ts'
import { groupBusyError } from '../groups/group-busy-error.ts'
import { unsafeInterruptsError } from '../groups/group-handle.ts'
import { readGroup } from '../groups/groups.ts'
import { notViableError } from '../groups/not-viable-error.ts'
import type { IommufdAddressSpace } from '../iommufd/address-space.ts'
import type { PageTable } from '../iommufd/page-table.ts'
import type { BackendAttachment } from './backend.ts'

/**
 * A device that is bound to an iommufd context by its character device, and attached to an address space or a page table there.
 *
 * @see linux/vfio.h, `struct vfio_device_bind_iommufd`, `struct vfio_device_attach_iommufd_pt`
 */
export class IommufdDevice implements BackendAttachment {
  readonly fd: Fd<'device'>
  readonly deviceId: number
  readonly #device: Attachable
  #space: IommufdAddressSpace
  /** Says that the page table that the device is attached to is not needed any more. */
  #releaseTable: (() => void) | undefined

  constructor(device: Attachable, space: IommufdAddressSpace, table: PageTable | undefined) {
    this.#device = device
    this.#space = space
    this.fd = openCdev(device)
    const bind = vfioDeviceBindIommufd.allocate()
    bind.argsz = vfioDeviceBindIommufd.size
    bind.iommufd = space.fd
    const bound = tryIoctl(this.fd, VFIO_DEVICE_BIND_IOMMUFD, bind)
    if (bound < 0) {
      // Closed before the holders are looked for, so that this process is named only if it holds the device elsewhere.
      closeFd(this.fd)
      throw bindError(device, -bound)
    }
    this.deviceId = bind.out_devid
    try {
      this.usePageTable(table)
    } catch (error) {
      // Closing the fd detaches and unbinds.
      closeFd(this.fd)
      throw error
    }
  }

  assertAtRest(): void {}

  usePageTable(table: PageTable | undefined): void {
    this.moveTo(this.#space, table)
  }

  /** Puts the device, and its group, on a page table of an address space, or on the one that the kernel makes for it. */
  moveTo(space: IommufdAddressSpace, table: PageTable | undefined): void {
    const release = table?.usedBy(this.#device.address)
    try {
      attachTable(this.fd, this.#device, table?.id ?? space.ioas)
    } catch (error) {
      release?.()
      throw error
    }
    this.#space = space
    this.#releaseTable?.()
    this.#releaseTable = release
  }

  detach(): void {
    const detach = vfioDeviceDetachIommufdPt.allocate()
    detach.argsz = vfioDeviceDetachIommufdPt.size
    // A device that was unplugged refuses; closing its fd does the same work.
    tryIoctl(this.fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach)
    closeFd(this.fd)
    this.#releaseTable?.()
  }
}

/** Puts a device's group on a page table, or on one that the kernel makes for an address space; off the one that it may be on. */
export function attachTable(fd: Fd<'device'>, device: Attachable, table: number): void {
  const attach = vfioDeviceAttachIommufdPt.allocate()
  attach.argsz = vfioDeviceAttachIommufdPt.size
  attach.pt_id = table
  const result = tryIoctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach)
  if (result >= 0) return
  if (result === -Errno.EPERM) throw unsafeInterruptsError(device.group)
  throw syscallError(
    'ioctl(VFIO_DEVICE_ATTACH_IOMMUFD_PT)',
    -result,
    device.address,
    'The domain may have mapped an address that is reserved for this device, or another device of the group may be in another domain.',
  )
}

function openCdev(device: Attachable): Fd<'device'> {
  assertTranslated(device)
  if (device.cdev === undefined) {
    throw new OpenbarError('ERR_NOT_BOUND', {
      message: `${device.address} cannot be opened: it has no VFIO character device, so it is not bound to a VFIO driver.`,
      hint: `Bind it first: Device.open('${device.address}', { bind: true }).`,
      context: { address: device.address, driver: undefined },
    })
  }
  return openFd(device.cdev)
}

/** What the kernel's refusal to bind a device to an iommufd context means. */
function bindError(device: Attachable, errno: number): OpenbarError {
  const syscall = 'ioctl(VFIO_DEVICE_BIND_IOMMUFD)'
  // The kernel claims the whole group for this context; it cannot while a neighbour has a kernel driver.
  const group = readGroup(device.group)
  if (!group.viable) return notViableError(group)
  // EINVAL: the character device can be opened many times and bound once. EPERM: the group is claimed by another
  // context, or interrupts are not remapped; only a look at who has it tells which.
  const busy = groupBusyError(device, { errno, syscall })
  const held = busy.context.holders.length > 0
  if (errno === Errno.EBUSY || (held && (errno === Errno.EINVAL || errno === Errno.EPERM))) return busy
  if (errno === Errno.EPERM) return unsafeInterruptsError(device.group)
  return syscallError(syscall, errno, device.address)
}
