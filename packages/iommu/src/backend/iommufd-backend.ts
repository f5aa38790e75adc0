import {
  addressOf,
  closeFd,
  Errno,
  type Fd,
  type InclusiveRange,
  IOMMU_DESTROY,
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_IOVA_RANGES,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IOMMU_IOAS_UNMAP,
  ioctl,
  iommuDestroy,
  iommuIoasAlloc,
  iommuIoasIovaRanges,
  iommuIoasMap,
  iommuIoasUnmap,
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
import { deviceReads, deviceWrites } from '../access.ts'
import type { Attachable, Attachment } from '../attachable.ts'
import { groupBusyError } from '../groups/group-busy-error.ts'
import { unsafeInterruptsError } from '../groups/group-handle.ts'
import { readGroup } from '../groups/groups.ts'
import { notViableError } from '../groups/not-viable-error.ts'
import { formatRange } from '../iova.ts'
import type { Backend, MappingRequest } from './backend.ts'
import { IommufdContext } from './iommufd-context.ts'
import { mapError } from './map-error.ts'

/**
 * A domain on iommufd: an I/O address space (IOAS), which the kernel translates with one page table per IOMMU.
 *
 * @see linux/iommufd.h; Documentation/userspace-api/iommufd.rst
 */
export class IommufdBackend implements Backend {
  readonly name = 'iommufd'
  readonly ready = true
  readonly #context: IommufdContext
  readonly #ioas: number
  #ranges: readonly InclusiveRange[] = []
  #alignment = 1n

  /** @throws {@link OpenbarError} `ERR_PERMISSION`, `ERR_SYSCALL`. */
  constructor(isolated: boolean) {
    this.#context = IommufdContext.acquire(isolated)
    try {
      const ioas = iommuIoasAlloc.allocate()
      ioas.size = iommuIoasAlloc.size
      ioctl(this.#fd, IOMMU_IOAS_ALLOC, ioas, '/dev/iommu')
      this.#ioas = ioas.out_ioas_id
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

  get alignment(): bigint {
    return this.#alignment
  }

  ranges(): readonly InclusiveRange[] {
    return this.#ranges
  }

  map(request: MappingRequest): void {
    const map = iommuIoasMap.allocate()
    map.size = iommuIoasMap.size
    map.flags =
      IOMMU_IOAS_MAP_FIXED_IOVA |
      (deviceReads(request.access) ? IOMMU_IOAS_MAP_READABLE : 0) |
      (deviceWrites(request.access) ? IOMMU_IOAS_MAP_WRITEABLE : 0)
    map.ioas_id = this.#ioas
    map.user_va = request.address
    map.length = request.size
    map.iova = request.iova
    const result = tryIoctl(this.#fd, IOMMU_IOAS_MAP, map)
    if (result < 0) throw mapError('ioctl(IOMMU_IOAS_MAP)', -result, request)
  }

  unmap(iova: bigint, size: bigint): bigint {
    const unmap = iommuIoasUnmap.allocate()
    unmap.size = iommuIoasUnmap.size
    unmap.ioas_id = this.#ioas
    unmap.iova = iova
    unmap.length = size
    ioctl(this.#fd, IOMMU_IOAS_UNMAP, unmap, formatRange(iova, size))
    return unmap.length
  }

  attach(device: Attachable): Attachment {
    const fd = openCdev(device)
    const bound = this.#bind(fd)
    if (bound < 0) {
      // Closed before the holders are looked for, so that this process is named only if it holds the device elsewhere.
      closeFd(fd)
      throw bindError(device, -bound)
    }
    try {
      this.#attachTable(fd, device)
      this.#readLimits()
    } catch (error) {
      // Closing the fd detaches and unbinds.
      closeFd(fd)
      throw error
    }
    let attached = true
    return {
      fd,
      detach: () => {
        if (!attached) return
        attached = false
        const detach = vfioDeviceDetachIommufdPt.allocate()
        detach.argsz = vfioDeviceDetachIommufdPt.size
        // A device that was unplugged refuses; closing its fd does the same work.
        tryIoctl(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach)
        closeFd(fd)
        this.#readLimits()
      },
    }
  }

  close(): void {
    const destroy = iommuDestroy.allocate()
    destroy.size = iommuDestroy.size
    destroy.id = this.#ioas
    try {
      ioctl(this.#fd, IOMMU_DESTROY, destroy, '/dev/iommu')
    } finally {
      this.#context.release()
    }
  }

  get #fd(): Fd<'iommufd'> {
    return this.#context.fd
  }

  #bind(fd: Fd<'device'>): number {
    const bind = vfioDeviceBindIommufd.allocate()
    bind.argsz = vfioDeviceBindIommufd.size
    bind.iommufd = this.#fd
    return tryIoctl(fd, VFIO_DEVICE_BIND_IOMMUFD, bind)
  }

  #attachTable(fd: Fd<'device'>, device: Attachable): void {
    const attach = vfioDeviceAttachIommufdPt.allocate()
    attach.argsz = vfioDeviceAttachIommufdPt.size
    attach.pt_id = this.#ioas
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

  #readLimits(): void {
    // Asked twice: the kernel says EMSGSIZE and the number of ranges when there are more than fit.
    for (let capacity = 64; ; ) {
      const list = new BigUint64Array(capacity * 2)
      const query = iommuIoasIovaRanges.allocate()
      query.size = iommuIoasIovaRanges.size
      query.ioas_id = this.#ioas
      query.num_iovas = capacity
      query.allowed_iovas = addressOf(list)
      const result = tryIoctl(this.#fd, IOMMU_IOAS_IOVA_RANGES, query)
      if (result === -Errno.EMSGSIZE && query.num_iovas > capacity) {
        capacity = query.num_iovas
        continue
      }
      if (result < 0) throw syscallError('ioctl(IOMMU_IOAS_IOVA_RANGES)', -result, '/dev/iommu')
      this.#alignment = query.out_iova_alignment
      this.#ranges = Array.from({ length: query.num_iovas }, (_, index) => ({
        start: list[index * 2] ?? 0n,
        last: list[index * 2 + 1] ?? 0n,
      }))
      return
    }
  }
}

function openCdev(device: Attachable): Fd<'device'> {
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
