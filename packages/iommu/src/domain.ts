import { type InclusiveRange, invalidArgument, MappedMemory, OpenbarError } from '@openbar/linux'
import { assertAccess, type DmaAccess } from './access.ts'
import { assertMappable } from './assert-mappable.ts'
import { assertWithin } from './assert-within.ts'
import type { Attachable, Attachment } from './attachable.ts'
import type { Backend, BackendName } from './backend/backend.ts'
import { openBackend } from './backend/select-backend.ts'
import { DmaBuffer } from './dma-buffer.ts'
import type { DomainSnapshot } from './domain-snapshot.ts'
import { claimGroup } from './groups/group-claims.ts'
import { assertSize, formatIova, formatRange, type Iova, MAX_IOVA, toIova } from './iova.ts'
import { IovaAllocator } from './iova-allocator.ts'
import type { MappableMemory, Mapping } from './mapping.ts'
import { MappingTable } from './mapping-table.ts'
import { forgetDomain, registerDomain } from './world/domain-registry.ts'

/** How to open a domain. */
export interface DomainOptions {
  /** The kernel interface to stand on. `auto`, the default: iommufd where the kernel has it, else type1. */
  readonly backend?: BackendName | 'auto'
  /** Gives an iommufd domain a context of its own, so that it can be handed over. `false` by default. */
  readonly isolated?: boolean
}

/** Where to map memory, and with which rights. */
export interface MapOptions {
  /** The first address, as devices shall see it; a multiple of the page size. */
  readonly iova: Iova
  /** What devices may do; `read-write` by default. */
  readonly access?: DmaAccess
}

/** What DMA memory shall be like. */
export interface AllocateOptions {
  /** The first address, as devices shall see it; picked from what is free when left out. */
  readonly iova?: Iova
  /** A power of two in bytes that the picked address is a multiple of; the page size by default. */
  readonly align?: number
  /** The last address that the memory may cover, for a device that drives fewer address lines than 64. */
  readonly maxIova?: Iova
  /** What devices may do; `read-write` by default. */
  readonly access?: DmaAccess
}

const PAGE = 4096n

/** Used before a type1 container's first device: what any x86 IOMMU translates, without the interrupt window. */
const USABLE_EVERYWHERE: readonly InclusiveRange[] = [
  { start: 0n, last: 0xfedf_ffffn },
  { start: 0xfef0_0000n, last: 0x7f_ffff_ffffn },
]

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
  readonly #backend: Backend
  readonly #mappings = new MappingTable()
  readonly #buffers = new Map<Mapping, DmaBuffer>()
  readonly #devices = new Map<Attachment, string>()
  readonly #allocator: IovaAllocator
  readonly #id: number
  #state: DomainSnapshot['state'] = 'open'

  private constructor(backend: Backend) {
    this.#backend = backend
    this.#allocator = new IovaAllocator(backend.ranges() ?? USABLE_EVERYWHERE)
    this.#id = registerDomain(this)
  }

  /**
   * Opens a new, empty domain.
   *
   * @throws {@link OpenbarError} `ERR_NO_BACKEND` when the kernel has no such interface; `ERR_PERMISSION` when this
   *   process may not use it.
   *
   * @example
   * ```ts
   * await using domain = await Domain.open({ backend: 'type1' })
   * ```
   */
  static async open(options: DomainOptions = {}): Promise<Domain> {
    const { backend = 'auto', isolated = false } = options
    if (backend !== 'auto' && backend !== 'iommufd' && backend !== 'type1') {
      throw invalidArgument('backend', backend, "'auto', 'iommufd' or 'type1'")
    }
    return new Domain(openBackend(backend, isolated))
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
   * Lets the domain's devices reach memory, at an address of the caller's choice.
   *
   * On a type1 container without a device the mapping is remembered, and made when the first device comes.
   *
   * @throws {@link OpenbarError} `ERR_IOVA_ALIGNMENT`, `ERR_IOVA_RANGE`, `ERR_IOVA_IN_USE`, `ERR_MEMLOCK`,
   *   `ERR_MAPPING_LIMIT`, `ERR_MEMORY_KIND`, `ERR_INVALID_ARGUMENT`, `ERR_CLOSED`; nothing is mapped then.
   *
   * @example
   * ```ts
   * const mapping = domain.map(memory, { iova: 0x1000_0000, access: 'read' })
   * ```
   */
  map(memory: MappableMemory, options: MapOptions): Mapping {
    this.#assertOpen()
    const { access = 'read-write' } = options
    assertAccess(access)
    assertMappable(memory)
    const iova = toIova(options.iova)
    const size = BigInt(memory.size)
    const last = iova + size - 1n
    this.#assertAligned(iova, size, toIova(memory.address))
    this.#assertInRange(iova, size)
    const present = this.#mappings.overlapping(iova, last)
    if (present !== undefined) {
      throw new OpenbarError('ERR_IOVA_IN_USE', {
        message: `${formatRange(iova, size)} cannot be mapped: ${formatRange(present.iova, BigInt(present.size))} is mapped already.`,
        hint: 'Choose another IOVA, or unmap what is there.',
        context: { iova, size },
      })
    }
    const mapping: Mapping = { iova, last, size: memory.size, access, memory }
    if (this.#backend.ready) this.#makeMapping(mapping)
    this.#mappings.add(mapping)
    this.#allocator.reserve(iova, size)
    return mapping
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
    assertSize(range.size)
    const iova = toIova(range.iova)
    const size = BigInt(range.size)
    const last = iova + size - 1n
    const found = this.#mappings.allOverlapping(iova, last)
    if (found.length === 0 || found.some((mapping) => mapping.iova < iova || mapping.last > last)) {
      throw new OpenbarError('ERR_NOT_MAPPED', {
        message: `${formatRange(iova, size)} cannot be unmapped: ${found.length === 0 ? 'nothing is mapped there' : 'it cuts a mapping'}.`,
        hint: 'Unmap whole mappings: domain.snapshot().mappings lists them.',
        context: { iova, size },
      })
    }
    const buffer = found.find((mapping) => this.#buffers.has(mapping))
    if (buffer !== undefined) {
      throw new OpenbarError('ERR_DOMAIN_STATE', {
        message: `${formatRange(buffer.iova, BigInt(buffer.size))} belongs to a buffer.`,
        hint: 'Close the buffer; that unmaps it.',
        context: { state: 'allocated' },
      })
    }
    return found.reduce((removed, mapping) => removed + this.#removeMapping(mapping), 0)
  }

  /**
   * Makes zeroed memory that the domain's devices can reach, pinned for as long as it is open.
   *
   * @param size - Bytes; rounded up to whole pages.
   * @throws {@link OpenbarError} as {@link Domain.map}, and `ERR_IOVA_EXHAUSTED` when no free address is left.
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
    const page = this.#pageSize
    const bytes = Math.ceil(size / Number(page)) * Number(page)
    const iova = options.iova ?? this.#place(BigInt(bytes), options)
    const memory = MappedMemory.anonymous(bytes)
    let mapping: Mapping
    try {
      mapping = this.map(memory, { iova, access: options.access ?? 'read-write' })
    } catch (error) {
      memory.revoke()
      throw error
    }
    const buffer = new DmaBuffer(mapping, memory, () => {
      this.#removeMapping(mapping)
      this.#buffers.delete(mapping)
    })
    this.#buffers.set(mapping, buffer)
    return buffer
  }

  /**
   * Lets a device into the domain. `device.setDomain` of `@openbar/vfio` does this.
   *
   * @throws {@link OpenbarError} `ERR_DEVICE_BUSY` for a device that is in it already; `ERR_GROUP_BUSY`, also for a group
   *   that is in another domain of this process; `ERR_GROUP_NOT_VIABLE`, `ERR_NOT_BOUND`, `ERR_PERMISSION`,
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
    this.#assertOutside(device)
    const leaveGroup = claimGroup(device, this)
    let inner: Attachment
    try {
      inner = this.#backend.attach(device, () => {
        for (const mapping of this.#mappings) this.#makeRemembered(mapping)
      })
    } catch (error) {
      leaveGroup()
      throw error
    }
    this.#rangesChanged()
    let attached = true
    const attachment: Attachment = {
      fd: inner.fd,
      detach: () => {
        if (!attached) return
        attached = false
        this.#devices.delete(attachment)
        try {
          inner.detach()
        } finally {
          leaveGroup()
          this.#rangesChanged()
          if (this.#state === 'closing' && this.#devices.size === 0) this.#finish()
        }
      },
    }
    this.#devices.set(attachment, device.address)
    return attachment
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
    const state = this.#inKernel ? 'mapped' : 'remembered'
    const mappings = Array.from(this.#mappings, (mapping) => {
      const { iova, size, access } = mapping
      return { iova, size, access, state, kind: this.#buffers.has(mapping) ? 'buffer' : 'mapping' } as const
    })
    return {
      id: this.#id,
      backend: this.backend,
      state: this.#state,
      devices: [...this.#devices.values()],
      ranges: this.#state === 'closed' ? undefined : this.#backend.ranges(),
      mappings,
      pinnedBytes: state === 'mapped' ? mappings.reduce((sum, { size }) => sum + size, 0) : 0,
      limits: { mappingsLeft: undefined },
    }
  }

  /**
   * Drops the caller's hold. Without devices everything is unmapped and given back at once; otherwise when the last
   * device leaves. Further calls do nothing.
   */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    if (this.#devices.size === 0) this.#finish()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  /** Whether the mappings are made in the kernel now. */
  get #inKernel(): boolean {
    return this.#state !== 'closed' && this.#backend.ready
  }

  get #pageSize(): bigint {
    return this.#backend.alignment > PAGE ? this.#backend.alignment : PAGE
  }

  #place(size: bigint, options: AllocateOptions): bigint {
    const { align = Number(this.#pageSize), maxIova } = options
    const wanted = Number.isSafeInteger(align) && align > 0 ? BigInt(align) : 0n
    if (wanted === 0n || (wanted & (wanted - 1n)) !== 0n) throw invalidArgument('align', align, 'a power of two')
    return this.#allocator.place({
      size,
      align: wanted > this.#pageSize ? wanted : this.#pageSize,
      maxIova: maxIova === undefined ? undefined : toIova(maxIova, 'maxIova'),
    })
  }

  #makeMapping(mapping: Mapping): void {
    const { iova, size, access, memory } = mapping
    this.#backend.map({ iova, size: BigInt(size), address: memory.address, access })
  }

  #makeRemembered(mapping: Mapping): void {
    const range = this.#backend.ranges()
    assertMappable(mapping.memory, `The memory mapped at ${formatRange(mapping.iova, BigInt(mapping.size))}`)
    if (range !== undefined) assertWithin(range, mapping.iova, BigInt(mapping.size))
    this.#makeMapping(mapping)
  }

  #removeMapping(mapping: Mapping): number {
    const size = BigInt(mapping.size)
    if (this.#inKernel) {
      const removed = this.#backend.unmap(mapping.iova, size)
      if (removed !== size) throw partlyUnmappedError(mapping, removed)
    }
    this.#mappings.remove(mapping)
    this.#allocator.release(mapping.iova, size)
    return mapping.size
  }

  #rangesChanged(): void {
    const inUse = Array.from(this.#mappings, ({ iova, last }) => ({ start: iova, last }))
    this.#allocator.setUsable(this.#backend.ranges() ?? USABLE_EVERYWHERE, inUse)
  }

  #finish(): void {
    this.#state = 'closed'
    forgetDomain(this)
    try {
      // Unmaps everything at once; one mapping that could not be unmapped would otherwise keep the rest pinned.
      this.#backend.close()
    } finally {
      for (const mapping of [...this.#mappings]) {
        const buffer = this.#buffers.get(mapping)
        if (buffer === undefined) this.#removeMapping(mapping)
        else buffer.close()
      }
    }
  }

  #assertAligned(iova: bigint, size: bigint, address: bigint): void {
    const alignment = this.#pageSize
    const culprit = [
      ['The IOVA', iova],
      ['The size', size],
      ["The memory's address", address],
    ].find(([, value]) => (value as bigint) % alignment !== 0n)
    if (culprit === undefined) return
    throw new OpenbarError('ERR_IOVA_ALIGNMENT', {
      message: `${culprit[0]}, ${formatIova(culprit[1] as bigint)}, is not a multiple of the IOMMU's page size, ${alignment} bytes.`,
      context: { iova, size, alignment },
    })
  }

  #assertInRange(iova: bigint, size: bigint): void {
    const whole = [{ start: 0n, last: MAX_IOVA }]
    assertWithin(this.#backend.ranges() ?? whole, iova, size)
  }

  #assertOutside({ address }: Attachable): void {
    if (![...this.#devices.values()].includes(address)) return
    throw new OpenbarError('ERR_DEVICE_BUSY', {
      message: `${address} is in this domain already.`,
      hint: 'Use the device that was opened first, or close it.',
      context: { address, holders: [] },
    })
  }

  #assertOpen(): void {
    if (this.#state === 'open') return
    throw new OpenbarError('ERR_CLOSED', {
      message: 'This domain was closed.',
      hint: 'Open a new one: Domain.open().',
      context: { what: 'domain' },
    })
  }
}

function partlyUnmappedError({ iova, size }: Mapping, removed: bigint): OpenbarError<'ERR_NOT_MAPPED'> {
  return new OpenbarError('ERR_NOT_MAPPED', {
    message: `Of ${formatRange(iova, BigInt(size))} the kernel unmapped ${removed} bytes instead of ${size}.`,
    hint: 'Something else unmaps in this domain; close it, which gives everything back.',
    context: { iova, size: BigInt(size) },
  })
}
