import { type Fd, invalidArgument, isOpenbarError, type MappedMemory } from '@openbar/linux'
import { assertAccess, type DmaAccess } from './access.ts'
import { AddressSpace } from './address-space.ts'
import { assertChoice } from './assert-choice.ts'
import { assertPinnable } from './assert-pinnable.ts'
import type { Attachable, Attachment } from './attachable.ts'
import type { Backend, BackendName } from './backend/backend.ts'
import { BACKEND_NAMES, openBackend } from './backend/select-backend.ts'
import type { DirtyTracking } from './dirty/dirty-tracking.ts'
import { DmaBuffer } from './dma-buffer.ts'
import { makeDmaMemory } from './dma-memory.ts'
import { assertNoBuffer, cannotHandOverError, cannotShareError, closedError, noIovasError } from './domain-errors.ts'
import { DomainMapping } from './domain-mapping.ts'
import type { AllocateOptions, DomainOptions, MapOptions, PickOptions } from './domain-options.ts'
import type { DomainSnapshot } from './domain-snapshot.ts'
import { adoptBackend, shareContext } from './hand-over/adopt-backend.ts'
import { adoptMappings } from './hand-over/adopt-mappings.ts'
import type { AdoptOptions } from './hand-over/adopt-options.ts'
import { ForeignMemory } from './hand-over/foreign-memory.ts'
import { GivenDevice } from './hand-over/given-device.ts'
import type { IommufdAddressSpace } from './iommufd/address-space.ts'
import { copyMapping } from './iommufd/copy-mapping.ts'
import { assertSize, type Iova } from './iova.ts'
import type { MappableMemory, Mapping } from './mapping.ts'
import { Membership } from './membership.ts'
import { makePhysicalMemory } from './physical-memory.ts'
import { placementOf } from './placement.ts'
import { bigToNumber, numberToBig } from './words.ts'
import { forgetDomain, registerDomain } from './world/domain-registry.ts'

/** From this size on the IOMMU can use one large entry, where address and memory are aligned to it. */
const LARGE_PAGE = 2 * 1024 * 1024

/**
 * An address space for devices: what is mapped in it is all that they can reach.
 *
 * It starts empty and belongs to no device; mappings belong to it, and memory is pinned once however many devices join.
 * Closing a domain that devices still hold makes its methods throw, while its mappings and buffers live until the last
 * device has left.
 *
 * @see linux/iommufd.h (IOAS) and linux/vfio.h (type1 container), the two kernel interfaces it stands on
 *
 * @example
 * ```ts
 * await using domain = await Domain.open()
 * await using device = await Device.open('0000:00:02.0', { domain, bind: true })
 * const buffer = domain.allocate(64 * 1024)
 * console.log(buffer.iova.toString(16), domain.snapshot().mappings.length)
 * ```
 */
export class Domain {
  /** Tells the domains of a process apart; the first one is 1. */
  readonly id: number
  readonly #backend: Backend
  readonly #space: AddressSpace
  readonly #members: Membership
  #state: DomainSnapshot['state'] = 'open'
  /** Open, and with devices for whose sake memory is pinned: kept, not asked for, since each mapping looks at it. */
  #inUse = false

  private constructor(backend: Backend, fill: (space: AddressSpace) => void = () => {}) {
    this.#backend = backend
    this.#space = new AddressSpace(backend)
    fill(this.#space)
    this.#members = new Membership(this, backend, this.#space, () => this.#membersChanged())
    this.id = registerDomain(this)
  }

  /**
   * Opens a new, empty domain.
   *
   * @throws {@link OpenbarError} `ERR_NO_BACKEND` when the kernel has no such interface; `ERR_PERMISSION` when this
   *   process may not use it; `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * await using domain = await Domain.open({ backend: 'type1' })
   * ```
   */
  static async open(options: DomainOptions = {}): Promise<Domain> {
    const { backend = 'auto', isolated = false, rlimitMode } = options
    assertChoice('backend', backend, ['auto', ...BACKEND_NAMES])
    if (rlimitMode !== undefined && !isolated && backend !== 'iommufd-compat') {
      throw invalidArgument('rlimitMode', rlimitMode, 'left out, unless the domain is isolated')
    }
    return new Domain(openBackend(backend, isolated, rlimitMode))
  }

  /**
   * Makes a domain of an address space that another program has opened and handed over, as inherited or received files. Neither
   * /dev/iommu nor /dev/vfio nor sysfs is needed.
   *
   * What may be mapped is asked of the kernel, what is mapped already is taken as it is said. Closing the domain unmaps what was mapped
   * by it, and closes the file; the address space itself belongs to the other program.
   *
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a file that is none of such an address space, or mappings that cannot be;
   *   `ERR_IOVA_IN_USE` for mappings that overlap; `ERR_NOT_MAPPED` for one that is not there, where the kernel can tell (iommufd). The
   *   file still belongs to the caller then.
   *
   * @example
   * ```ts
   * await using domain = await Domain.adopt({ backend: 'iommufd', fd: 4, ioas: 1 })
   * ```
   */
  static async adopt(options: AdoptOptions): Promise<Domain> {
    const backend = adoptBackend(options)
    const domain = new Domain(backend, (space) => adoptMappings(options, backend, space))
    shareContext(options, backend)
    return domain
  }

  /** @internal A domain over a backend that stands open already. */
  static over(backend: Backend): Domain {
    return new Domain(backend)
  }

  /** The kernel interface that the domain stands on. */
  get backend(): BackendName {
    return this.#backend.name
  }

  /** Whether the caller has closed it. */
  get closed(): boolean {
    return this.#state !== 'open'
  }

  /**
   * The domain in iommufd's terms, for {@link PageTable}, {@link hardwareInfo} and what else iommufd has; `undefined` on other
   * backends.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * if (domain.iommufd) console.log(hardwareInfo(domain.iommufd.fd, device.attachment.deviceId).type)
   * ```
   */
  get iommufd(): IommufdAddressSpace | undefined {
    this.#assertOpen()
    return this.#backend.iommufd
  }

  /**
   * Tells which pages devices have written; off at first.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` on backends that cannot; whether the IOMMU can is seen at the start.
   *   `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * domain.dirtyTracking.start()
   * const written = domain.dirtyTracking.read(buffer.iova, buffer.size)
   * ```
   */
  get dirtyTracking(): DirtyTracking {
    this.#assertOpen()
    return this.#backend.dirtyTracking(
      () => this.#members.inner,
      () => [...this.#space.mappings],
    )
  }

  /**
   * Lets the domain's devices reach memory, at an address of the caller's choice.
   *
   * On a type1 container without a device the mapping is remembered, and made when the first device comes.
   *
   * @throws {@link OpenbarError} `ERR_IOVA_ALIGNMENT`, `ERR_IOVA_RANGE`, `ERR_IOVA_IN_USE`, `ERR_MEMLOCK`,
   *   `ERR_MAPPING_LIMIT`, `ERR_MEMORY_KIND`, `ERR_INVALID_ARGUMENT`, `ERR_CLOSED`, `ERR_NOT_SUPPORTED` without an IOMMU;
   *   nothing is mapped then.
   *
   * @example
   * ```ts
   * const mapping = domain.map(memory, { iova: 0x1000_0000, access: 'read' })
   * ```
   */
  map(memory: MappableMemory, options: MapOptions): Mapping {
    const { iova, access = 'read-write' } = options
    if (!this.#inUse) this.#assertMappable(memory, access)
    return this.#space.map(memory, iova, access)
  }

  /**
   * Takes a mapping away from the devices.
   *
   * @param range - A mapping, or a range that cuts none.
   * @returns The bytes that were unmapped.
   * @throws {@link OpenbarError} `ERR_NOT_MAPPED` when nothing is mapped there, or the range cuts a mapping;
   *   `ERR_DOMAIN_STATE` for a buffer's memory, which is taken away by closing the buffer; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * domain.unmap(mapping) // 4096
   * ```
   */
  unmap(range: { readonly iova: Iova; readonly size: number }): number {
    this.#assertOpen()
    // What stands in the books is a mapping, so nothing else has to be known of it to look for it there.
    const mapping = range as DomainMapping
    if (mapping.start !== undefined && mapping.buffer === undefined && this.#space.unmap(mapping)) return mapping.size
    return this.#unmapRange(range)
  }

  #unmapRange(range: { readonly iova: Iova; readonly size: number }): number {
    assertSize(range.size)
    const found = this.#space.wholeMappings(range.iova, range.size)
    for (const mapping of found) assertNoBuffer(mapping)
    return this.#space.unmapRun(found)
  }

  /**
   * Takes every mapping away from the devices that {@link Domain.map} has made. Buffers stay: closing one takes it away.
   *
   * @returns The bytes that were unmapped.
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * domain.unmapAll() // 12288
   * ```
   */
  unmapAll(): number {
    this.#assertOpen()
    // What lies between two buffers goes in one step.
    const runs: DomainMapping[][] = [[]]
    for (const mapping of this.#space.mappings) {
      if (mapping.buffer !== undefined) runs.push([])
      else runs.at(-1)?.push(mapping)
    }
    return runs.reduce((bytes, run) => bytes + this.#space.unmapRun(run), 0)
  }

  /**
   * Lets the domain's devices reach memory that another domain has mapped, without pinning it once more. The two mappings are
   * independent from then on.
   *
   * @param source - A domain on the same iommufd context.
   * @param range - One whole mapping, or buffer, of the other domain.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` unless both domains are on iommufd and share a context; `ERR_NOT_MAPPED` when
   *   the range is no mapping there; `ERR_INVALID_ARGUMENT` for a right that the other one does not have; and as
   *   {@link Domain.map}. Nothing is mapped then.
   *
   * @example
   * ```ts
   * const mapping = domain.mapFrom(other, buffer, { iova: 0x4000_0000, access: 'read' })
   * ```
   */
  mapFrom(source: Domain, range: { readonly iova: Iova; readonly size: number }, options: MapOptions): Mapping {
    this.#assertOpen()
    source.#assertOpen()
    const { iova, access = 'read-write' } = options
    const space = this.#backend.iommufd
    const from = source.#backend.iommufd
    if (space === undefined || from === undefined || space.fd !== from.fd) throw cannotShareError()
    assertSize(range.size)
    const [original, ...more] = source.#space.wholeMappings(range.iova, range.size)
    if (original === undefined || more.length > 0)
      throw invalidArgument('range', range, 'one mapping of the other domain')
    return this.#space.mapBy(original.memory, iova, access, (mapping) => {
      const { iova: fromIova, size } = original
      copyMapping(space.fd, { from: from.ioas, fromIova, to: space.ioas, toIova: mapping.iova, size, access })
    })
  }

  /**
   * Picks a free address for memory of a size: the lowest from 16 MiB on that all devices of the domain can reach. It is not
   * taken before something is mapped there.
   *
   * @param size - Bytes; rounded up to whole pages.
   * @throws {@link OpenbarError} `ERR_IOVA_EXHAUSTED` when there is none; `ERR_INVALID_ARGUMENT`, `ERR_CLOSED`;
   *   `ERR_NOT_SUPPORTED` without an IOMMU.
   *
   * @example
   * ```ts
   * domain.map(memory, { iova: domain.pickIova(memory.size) })
   * ```
   */
  pickIova(size: number, options: PickOptions = {}): bigint {
    this.#assertOpen()
    assertSize(size)
    if (!this.#backend.translates) throw noIovasError()
    return numberToBig(this.#space.place(placementOf(size, this.#space.pageSize, options, this.#members.devices)))
  }

  /**
   * Makes zeroed memory that the domain's devices can reach, pinned for as long as it is open.
   *
   * @param size - Bytes; rounded up to whole pages.
   * @throws {@link OpenbarError} as {@link Domain.map}, `ERR_IOVA_EXHAUSTED` when no free address is left, and
   *   `ERR_NO_HUGEPAGES` when the pool has too few.
   *
   * @example
   * ```ts
   * using ring = domain.allocate(4096)
   * ring.u32[0] = 1
   * ```
   */
  allocate(size: number, options: AllocateOptions = {}): DmaBuffer {
    this.#assertOpen()
    assertSize(size)
    const { access = 'read-write' } = options
    if (!this.#backend.translates) {
      // An option that is wrong is so on every backend.
      assertAccess(access)
      const { limit } = placementOf(size, this.#space.pageSize, options, this.#members.devices)
      const { memory, address } = makePhysicalMemory(size, options, limit)
      const mapping = new DomainMapping(bigToNumber(address), memory, memory.address, access)
      this.#space.adopt(mapping)
      return this.#keep(mapping, memory, address)
    }
    const { pageSize } = this.#space
    // Looked at before memory is made, which can take long.
    if (options.iova === undefined) placementOf(size, pageSize, options, this.#members.devices)
    const memory = makeDmaMemory(size, pageSize, options)
    try {
      return this.#keep(this.#space.map(memory, options.iova ?? this.#placeMemory(memory, options), access), memory)
    } catch (error) {
      memory.revoke()
      throw error
    }
  }

  /**
   * What another program needs to {@link Domain.adopt} the domain: its file, to be passed on, and what is mapped. The file stays the
   * domain's.
   *
   * Open the domain with `isolated: true` for that: whoever gets its file gets the whole context.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` without an IOMMU; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * const { fd, ...description } = domain.handOver()
   * ```
   */
  handOver(): AdoptOptions {
    this.#assertOpen()
    const { name, iommufd } = this.#backend
    const mappings = Array.from(this.#space.mappings, ({ iova, size, access }) => ({ iova, size, access }))
    if (iommufd !== undefined) return { backend: 'iommufd', fd: iommufd.fd, ioas: iommufd.ioas, mappings }
    if (name === 'type1' || name === 'iommufd-compat') return { backend: name, fd: this.#backend.file, mappings }
    throw cannotHandOverError()
  }

  /**
   * Says that a device's open file, which was handed over together with the domain, is in it already: bound to its iommufd context, or
   * got through a group in its container. To be let in by {@link Domain.attach}, as `given`.
   *
   * @param options.deviceId - The kernel's number for the device in the context; needed on iommufd.
   * @param options.onClose - Called once, after the file was closed.
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * const given = domain.givenDevice(asFd<'device'>(3), { deviceId: 1 })
   * const attachment = domain.attach({ address: '0000:00:02.0', group: 1, cdev: undefined, given })
   * ```
   */
  givenDevice(
    fd: Fd<'device'>,
    options: { readonly deviceId?: number | undefined; readonly onClose?: () => void } = {},
  ): GivenDevice {
    this.#assertOpen()
    return Object.assign(new GivenDevice(fd, options.onClose), { home: this.#backend.home, deviceId: options.deviceId })
  }

  /**
   * Lets a device into the domain. `device.setDomain` of `@openbar/vfio` does this.
   *
   * @throws {@link OpenbarError} `ERR_DEVICE_BUSY` for a device that is in it already; `ERR_GROUP_BUSY`, also for a group
   *   that is in another domain of this process; `ERR_GROUP_NOT_VIABLE`, `ERR_NOT_BOUND`, `ERR_NO_IOMMU`, `ERR_PERMISSION`,
   *   `ERR_NOT_SUPPORTED`, or a mapping's own error when a remembered one cannot be made; the device stays outside then.
   *
   * @example
   * ```ts
   * const attachment = domain.attach(device)
   * attachment.detach()
   * ```
   */
  attach(device: Attachable): Attachment {
    this.#assertOpen()
    return this.#members.attach(device)
  }

  /**
   * Moves a group of devices, all that are open of it, into another domain. `device.setDomain` of `@openbar/vfio` does this.
   *
   * Between iommufd domains of one context the kernel does it in one step, unless the driver of the IOMMU makes page tables only
   * for a device that is in none, as that of the virtio IOMMU does: at no time is a device in none, and registers and interrupts
   * stay. Otherwise each device is told to leave, closed, opened in the other domain, and told that it is there.
   *
   * @param group - The number of the IOMMU group.
   * @returns Whether it was one step.
   * @throws {@link OpenbarError} `ERR_CLOSED` when the other domain is closed; this one may be, and ends when its last device has
   *   moved. `ERR_DOMAIN_STATE` when no device of the group is in
   *   this one; `ERR_NOT_SUPPORTED` when a device cannot be told; nothing is changed then. When the kernel refuses the one step,
   *   nothing is changed either; otherwise what {@link Domain.attach} throws, and the devices are back where they were, or in none
   *   if they are not let in there either.
   *
   * @example
   * ```ts
   * domain.moveGroup(device.group, other)
   * ```
   */
  moveGroup(group: number, to: Domain): boolean {
    to.#assertOpen()
    return this.#members.moveGroup(group, to.#members)
  }

  /**
   * The state of the domain: its devices, ranges and mappings. Works on a closed domain too.
   *
   * @example
   * ```ts
   * for (const { iova, size } of domain.snapshot().mappings) console.log(iova.toString(16), size)
   * ```
   */
  snapshot(): DomainSnapshot {
    const { ready, translates } = this.#backend
    const closed = this.#state === 'closed'
    const state = translates ? (ready && !closed ? 'mapped' : 'remembered') : 'unprotected'
    const mappings = Array.from(this.#space.mappings, (mapping) => {
      const { iova, size, access } = mapping
      return { iova, size, access, state, kind: mapping.buffer === undefined ? 'mapping' : 'buffer' } as const
    })
    return {
      id: this.id,
      backend: this.backend,
      state: this.#state,
      devices: this.#members.devices.map(({ address }) => address),
      ranges: closed ? undefined : this.#backend.ranges(),
      mappings,
      pinnedBytes: this.#pins ? mappings.reduce((sum, { size }) => sum + size, 0) : 0,
      limits: { mappingsLeft: closed ? undefined : this.#backend.mappingsLeft },
    }
  }

  /**
   * Drops the caller's hold. Without devices everything is unmapped and given back at once; otherwise when the last
   * device leaves. Further calls do nothing.
   */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#inUse = false
    if (this.#members.empty) this.#finish()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  #membersChanged(): void {
    this.#inUse = this.#state === 'open' && this.#pins
    if (this.#state === 'closing' && this.#members.empty) this.#finish()
  }

  /** What a mapping is asked beforehand while nothing is pinned. */
  #assertMappable(memory: MappableMemory, access: DmaAccess): void {
    this.#assertOpen()
    assertPinnable(memory, access)
  }

  /** Whether the kernel pins what is mapped. No backend does before there is a page table, which comes with the first device. */
  get #pins(): boolean {
    return this.#backend.translates && !this.#members.empty
  }

  /** Where a buffer goes: on the bounds of a large page if it fills one, and somewhere all the same if there is no such place. */
  #placeMemory(memory: MappedMemory, options: AllocateOptions): bigint {
    const { pageSize } = this.#space
    const least = placementOf(memory.size, pageSize, options, this.#members.devices)
    const large = memory.size >= LARGE_PAGE ? Math.max(memory.pageSize, LARGE_PAGE) : pageSize
    if (large <= least.align) return numberToBig(this.#space.place(least))
    try {
      return numberToBig(this.#space.place({ ...least, align: large }))
    } catch (error) {
      if (!isOpenbarError(error, 'ERR_IOVA_EXHAUSTED')) throw error
      return numberToBig(this.#space.place(least))
    }
  }

  #keep(mapping: DomainMapping, memory: MappedMemory, physicalAddress?: bigint): DmaBuffer {
    const release = () => {
      if (this.#state === 'closed') this.#space.forget(mapping)
      else this.#space.unmap(mapping)
    }
    mapping.buffer = new DmaBuffer(mapping, memory, release, physicalAddress)
    return mapping.buffer
  }

  #finish(): void {
    this.#state = 'closed'
    forgetDomain(this)
    try {
      if (this.#backend.borrowed) this.#unmapOwn()
    } finally {
      this.#endBackend()
    }
  }

  /** An address space that was borrowed outlives the domain: what was mapped here must not stay, and what was there must. */
  #unmapOwn(): void {
    using steps = new DisposableStack()
    for (const { memory, start, size } of this.#space.mappings) {
      if (!(memory instanceof ForeignMemory)) steps.defer(() => void this.#backend.unmap(start, size))
    }
  }

  #endBackend(): void {
    try {
      // Unmaps everything at once; one mapping that could not be unmapped would otherwise keep the rest pinned.
      this.#backend.close()
    } finally {
      for (const mapping of [...this.#space.mappings]) {
        if (mapping.buffer === undefined) this.#space.forget(mapping)
        else mapping.buffer.close()
      }
    }
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw closedError()
  }
}
