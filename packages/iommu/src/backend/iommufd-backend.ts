import { type Fd, type InclusiveRange, syscallError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import type { DirtyTracking } from '../dirty/dirty-tracking.ts'
import type { IommufdAddressSpace } from '../iommufd/address-space.ts'
import { allocateIoas } from '../iommufd/allocate-ioas.ts'
import { destroyObject } from '../iommufd/destroy-object.ts'
import { iovaRanges } from '../iommufd/iova-ranges.ts'
import { reachesNothing, reachOfNewTable } from '../iommufd/table-reach.ts'
import { formatRange } from '../iova.ts'
import type { Mapping } from '../mapping.ts'
import type { Backend, BackendAttachment, MappingRequest } from './backend.ts'
import { mapIoas, unmapIoas } from './ioas-requests.ts'
import { IommufdContext } from './iommufd-context.ts'
import { IommufdDevice } from './iommufd-device.ts'
import { IommufdDirtyTracking } from './iommufd-dirty-tracking.ts'
import { mapError } from './map-error.ts'
import { refuseReplace } from './refusals.ts'

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
  #tracking: IommufdDirtyTracking | undefined

  /** @throws {@link OpenbarError} `ERR_PERMISSION`, `ERR_SYSCALL`. */
  constructor(isolated: boolean) {
    this.#context = IommufdContext.acquire(isolated)
    try {
      this.ioas = allocateIoas(this.fd)
    } catch (error) {
      this.#context.release()
      throw error
    }
  }

  get iommufd(): IommufdAddressSpace {
    return this
  }

  /** The context that the address space belongs to. */
  get fd(): Fd<'iommufd'> {
    return this.#context.fd
  }

  get alignment(): number {
    return Number(iovaRanges(this).alignment)
  }

  ranges(): readonly InclusiveRange[] {
    return iovaRanges(this).ranges
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
    // While devices are tracked, a new one has to be too.
    return new IommufdDevice(device, this, this.#tracking?.table)
  }

  replaceable(other: Backend, [device]: readonly BackendAttachment[]): boolean {
    if (!(other instanceof IommufdBackend) || other.#context !== this.#context) return false
    // Linux 6.12 would put a device behind a virtio IOMMU on a table that reaches nothing, and call that a success.
    return device?.deviceId !== undefined && !reachesNothing(reachOfNewTable(this, device.deviceId))
  }

  replace(attachments: readonly BackendAttachment[], other: Backend): void {
    if (!(other instanceof IommufdBackend) || other.#context !== this.#context) refuseReplace(other.name)
    // With the first one the kernel moves the whole group; what it is told of the others is no news to it.
    for (const device of attachments) {
      if (device instanceof IommufdDevice) device.moveTo(other, other.#tracking?.table)
    }
  }

  dirtyTracking(devices: () => readonly BackendAttachment[], mappings: () => readonly Mapping[]): DirtyTracking {
    this.#tracking ??= new IommufdDirtyTracking(this, devices, mappings)
    return this.#tracking
  }

  close(): void {
    // Its page table would keep the address space.
    this.#tracking?.stop()
    try {
      destroyObject(this.fd, this.ioas, 'the domain', () => 'a page table of its address space')
    } finally {
      this.#context.release()
    }
  }
}
