import { type Fd, type InclusiveRange, syscallError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import type { DirtyTracking } from '../dirty/dirty-tracking.ts'
import type { IommufdAddressSpace } from '../iommufd/address-space.ts'
import { allocateIoas } from '../iommufd/allocate-ioas.ts'
import { destroyObject } from '../iommufd/destroy-object.ts'
import { iovaRanges } from '../iommufd/iova-ranges.ts'
import { type RlimitMode, setRlimitMode } from '../iommufd/options.ts'
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
  readonly borrowed: boolean
  readonly #context: IommufdContext
  #tracking: IommufdDirtyTracking | undefined

  private constructor(context: IommufdContext, ioas: number, borrowed: boolean) {
    this.#context = context
    this.ioas = ioas
    this.borrowed = borrowed
  }

  /** @throws {@link OpenbarError} `ERR_PERMISSION`, `ERR_SYSCALL`. */
  static open(isolated: boolean, mode?: RlimitMode): IommufdBackend {
    const context = IommufdContext.acquire(isolated)
    try {
      if (mode !== undefined) setRlimitMode(context.fd, mode)
      return new IommufdBackend(context, allocateIoas(context.fd), false)
    } catch (error) {
      context.release()
      throw error
    }
  }

  /** Over an address space that somebody else has made. */
  static adopt(fd: Fd<'iommufd'>, ioas: number): IommufdBackend {
    iovaRanges({ fd, ioas })
    return new IommufdBackend(IommufdContext.adopt(fd), ioas, true)
  }

  /** Has domains that are opened later share the context. */
  share(): void {
    this.#context.share()
  }

  get home(): object {
    return this.#context
  }

  get iommufd(): IommufdAddressSpace {
    return this
  }

  /** The context that the address space belongs to. */
  get fd(): Fd<'iommufd'> {
    return this.#context.fd
  }

  get file(): Fd {
    return this.fd
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
    return new IommufdDevice(device, this, this.home, this.#tracking?.table)
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
      if (!this.borrowed) destroyObject(this.fd, this.ioas, 'the domain', () => 'a page table of its address space')
    } finally {
      this.#context.release()
    }
  }
}
