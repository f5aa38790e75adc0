import {
  closeFd,
  Errno,
  type Fd,
  type InclusiveRange,
  IOMMU_DESTROY,
  IOMMU_IOAS_ALLOC,
  ioctl,
  iommuDestroy,
  iommuIoasAlloc,
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
import { formatRange } from '../iova.ts'
import type { Backend, BackendAttachment, MappingRequest } from './backend.ts'
import { readIoasLimits } from './ioas-limits.ts'
import { mapIoas, unmapIoas } from './ioas-requests.ts'
import { IommufdContext } from './iommufd-context.ts'
import { mapError } from './map-error.ts'
import { refuseReplace } from './refuse-replace.ts'

/**
 * A domain on iommufd: an I/O address space (IOAS), which the kernel translates with one page table per IOMMU.
 *
 * @see linux/iommufd.h; Documentation/userspace-api/iommufd.rst
 */
export class IommufdBackend implements Backend {
  readonly name = 'iommufd'
  readonly ready = true
  readonly translates = true
  readonly mappingsLeft = undefined
  readonly ioas: number
  readonly #context: IommufdContext
  #ranges: readonly InclusiveRange[] = []
  #alignment = 1

  /** @throws {@link OpenbarError} `ERR_PERMISSION`, `ERR_SYSCALL`. */
  constructor(isolated: boolean) {
    this.#context = IommufdContext.acquire(isolated)
    try {
      const ioas = iommuIoasAlloc.allocate()
      ioas.size = iommuIoasAlloc.size
      ioctl(this.fd, IOMMU_IOAS_ALLOC, ioas, '/dev/iommu')
      this.ioas = ioas.out_ioas_id
    } catch (error) {
      this.#context.release()
      throw error
    }
    try {
      this.#readLimits()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The context that the address space belongs to. */
  get fd(): Fd<'iommufd'> {
    return this.#context.fd
  }

  get alignment(): number {
    return this.#alignment
  }

  ranges(): readonly InclusiveRange[] {
    return this.#ranges
  }

  map(request: MappingRequest): void {
    const result = mapIoas(this, request)
    if (result < 0) throw mapError('ioctl(IOMMU_IOAS_MAP)', -result, request)
  }

  unmap(start: number, size: number): number {
    const result = unmapIoas(this, start, size)
    if (result < 0) throw syscallError('ioctl(IOMMU_IOAS_UNMAP)', -result, formatRange(BigInt(start), BigInt(size)))
    return result
  }

  attach(device: Attachable): BackendAttachment {
    const fd = openCdev(device)
    const bind = vfioDeviceBindIommufd.allocate()
    bind.argsz = vfioDeviceBindIommufd.size
    bind.iommufd = this.fd
    const bound = tryIoctl(fd, VFIO_DEVICE_BIND_IOMMUFD, bind)
    if (bound < 0) {
      // Closed before the holders are looked for, so that this process is named only if it holds the device elsewhere.
      closeFd(fd)
      throw bindError(device, -bound)
    }
    try {
      attachTable(fd, device, this.ioas)
      this.#readLimits()
    } catch (error) {
      // Closing the fd detaches and unbinds.
      closeFd(fd)
      throw error
    }
    return {
      fd,
      deviceId: bind.out_devid,
      assertAtRest: () => {},
      detach: () => {
        const detach = vfioDeviceDetachIommufdPt.allocate()
        detach.argsz = vfioDeviceDetachIommufdPt.size
        // A device that was unplugged refuses; closing its fd does the same work.
        tryIoctl(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach)
        closeFd(fd)
        this.#readLimits()
      },
    }
  }

  replaceable(other: Backend): boolean {
    return other instanceof IommufdBackend && other.#context === this.#context
  }

  replace(device: Attachable, { fd }: BackendAttachment, other: Backend): void {
    if (!(other instanceof IommufdBackend) || !this.replaceable(other)) refuseReplace(other.name)
    // For a device that has a page table the kernel replaces it, for all of the device's group at once.
    attachTable(fd, device, other.ioas)
    this.#readLimits()
    other.#readLimits()
  }

  close(): void {
    const destroy = iommuDestroy.allocate()
    destroy.size = iommuDestroy.size
    destroy.id = this.ioas
    try {
      ioctl(this.fd, IOMMU_DESTROY, destroy, '/dev/iommu')
    } finally {
      this.#context.release()
    }
  }

  #readLimits(): void {
    const { ranges, alignment } = readIoasLimits(this.fd, this.ioas)
    this.#ranges = ranges
    this.#alignment = alignment
  }
}

/** Puts a device's group into an address space, out of the one that it may be in. */
function attachTable(fd: Fd<'device'>, device: Attachable, ioas: number): void {
  const attach = vfioDeviceAttachIommufdPt.allocate()
  attach.argsz = vfioDeviceAttachIommufdPt.size
  attach.pt_id = ioas
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
