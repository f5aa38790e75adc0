import {
  closeFd,
  Errno,
  type Fd,
  invalidArgument,
  OpenbarError,
  openFd,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_DETACH_IOMMUFD_PT,
  vfioDeviceAttachIommufdPt,
  vfioDeviceDetachIommufdPt,
} from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { assertTranslated } from '../groups/assert-translated.ts'
import { unsafeInterruptsError } from '../groups/group-handle.ts'
import { tiedElsewhereError } from '../hand-over/given-errors.ts'
import type { IommufdAddressSpace } from '../iommufd/address-space.ts'
import type { PageTable } from '../iommufd/page-table.ts'
import type { BackendAttachment } from './backend.ts'
import { bindIommufd } from './bind-iommufd.ts'

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

  /** @param home - The context that the address space belongs to, which the device's file is tied to from then on. */
  constructor(device: Attachable, space: IommufdAddressSpace, home: object, table: PageTable | undefined) {
    const { given } = device
    this.#device = device
    this.#space = space
    this.fd = given?.fd ?? openCdev(device)
    if (given?.home === undefined) {
      const bound = bindIommufd(this.fd, device, space.fd)
      if ('error' in bound) {
        // Closed before the holders are looked for, so that this process is named only if it holds the device elsewhere.
        this.#closeOwn()
        throw bound.error()
      }
      this.deviceId = bound.deviceId
      if (given !== undefined) Object.assign(given, { home, deviceId: bound.deviceId })
    } else {
      if (given.home !== home) throw tiedElsewhereError(device)
      this.deviceId = given.deviceId ?? unknownDeviceId(device)
    }
    try {
      this.usePageTable(table)
    } catch (error) {
      // Closing the fd detaches and unbinds.
      this.#closeOwn()
      throw error
    }
  }

  /** A file that was handed over is left open. */
  #closeOwn(): void {
    if (this.#device.given === undefined) closeFd(this.fd)
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
    this.#closeOwn()
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

function unknownDeviceId({ given }: Attachable): never {
  throw invalidArgument(
    'deviceId',
    given?.deviceId,
    "the kernel's number of a device that was bound before it was handed over",
  )
}
