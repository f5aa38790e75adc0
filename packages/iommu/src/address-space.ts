import { type InclusiveRange, OpenbarError } from '@openbar/linux'
import { assertAccess, type DmaAccess } from './access.ts'
import { assertWithin } from './assert-within.ts'
import type { Backend } from './backend/backend.ts'
import { DomainMapping } from './domain-mapping.ts'
import { formatIova, formatRange, type Iova, toIova, toPageAddress } from './iova.ts'
import { IovaAllocator, type Placement } from './iova-allocator.ts'
import type { MappableMemory } from './mapping.ts'
import { addressOfMemory, assertHeld } from './memory-address.ts'
import { END_OF_SPACE, PAGE, type Span, toInclusive, wholeUnits } from './span.ts'
import { SpanList } from './span-list.ts'

/** Used before a type1 container's first device: what any x86 IOMMU translates, without the interrupt window. */
const USABLE_EVERYWHERE: readonly InclusiveRange[] = [
  { start: 0n, last: 0xfedf_ffffn },
  { start: 0xfef0_0000n, last: 0x7f_ffff_ffffn },
]

const WHOLE_SPACE: readonly Span[] = [{ start: 0, end: END_OF_SPACE }]
const NOWHERE: Span = { start: END_OF_SPACE, end: 0 }

/** A domain's books: what is mapped where, in the kernel or remembered for it, and what is free. */
export class AddressSpace {
  readonly #backend: Backend
  readonly #mappings = new SpanList<DomainMapping>()
  /** There from when the first address is picked: who chooses all of them does not pay for it. */
  #allocator: IovaAllocator | undefined
  /** Bytes that addresses and sizes are multiples of. */
  #pageSize = PAGE
  /** What may be mapped now, as far as the kernel can tell. */
  #allowed: readonly Span[] = WHOLE_SPACE
  /** Where an address may be picked. */
  #usable: readonly Span[] = []
  /** That of these ranges which was needed last. */
  #recent: Span = NOWHERE

  constructor(backend: Backend) {
    this.#backend = backend
    this.rangesChanged()
  }

  get pageSize(): number {
    return this.#pageSize
  }

  get mappings(): Iterable<DomainMapping> {
    return this.#mappings
  }

  // What each mapping costs is decided in `map` and `unmap`. V8 compiles both, with all that they call, as one piece each, as long
  // as that is not more than it takes into one piece: so they are whole here, and what is rare stands in functions of its own.

  /** Maps memory, or remembers it while there is no page table; when it throws, nothing has changed. */
  map(memory: MappableMemory, where: Iova, access: DmaAccess): DomainMapping {
    if (access !== 'read-write') assertAccess(access)
    const address = addressOfMemory(memory)
    const start = toPageAddress(where)
    // Three tests in one: what is no multiple of a page has a bit set.
    if (((start | address | memory.size) & (this.#pageSize - 1)) !== 0) {
      throw alignmentError(where, memory, this.#pageSize)
    }
    const end = start + memory.size
    if (start < this.#recent.start || end > this.#recent.end) this.#recent = this.#rangeAround(start, end)
    const mapping = new DomainMapping(start, memory, address, access)
    const present = this.#mappings.add(mapping)
    if (present !== undefined) throw inUseError(mapping, present)
    this.#allocator?.reserve(start, end)
    try {
      if (this.#backend.ready) this.#backend.map(mapping)
    } catch (error) {
      this.forget(mapping)
      throw error
    }
    return mapping
  }

  /**
   * Maps memory in another way than the backend's; when it throws, nothing has changed. The checks are those of `map`, which has them
   * once more to be one piece.
   *
   * @param make - Has the kernel make the mapping.
   */
  mapBy(memory: MappableMemory, where: Iova, access: DmaAccess, make: (mapping: DomainMapping) => void): DomainMapping {
    assertAccess(access)
    const address = addressOfMemory(memory)
    const start = toPageAddress(where)
    if (((start | address | memory.size) & (this.#pageSize - 1)) !== 0) {
      throw alignmentError(where, memory, this.#pageSize)
    }
    this.#rangeAround(start, start + memory.size)
    const mapping = new DomainMapping(start, memory, address, access)
    this.adopt(mapping)
    try {
      make(mapping)
    } catch (error) {
      this.forget(mapping)
      throw error
    }
    return mapping
  }

  /** Puts a mapping into the books; when something is mapped there, an error. */
  adopt(mapping: DomainMapping): void {
    const present = this.#mappings.add(mapping)
    if (present !== undefined) throw inUseError(mapping, present)
    this.#allocator?.reserve(mapping.start, mapping.end)
  }

  /** The mappings in a range, of which it cuts none; when it cuts one, or there is none, an error. */
  wholeMappings(iova: Iova, size: number): DomainMapping[] {
    const start = toIova(iova)
    const last = start + BigInt(size) - 1n
    const found: DomainMapping[] = []
    // The start of the page: what ends behind it is all that can overlap.
    for (const mapping of this.#mappings.from(Number(start & ~0xfffn))) {
      if (mapping.iova > last) break
      if (mapping.iova < start || mapping.last > last) throw notMappedError(start, size, 'it cuts a mapping')
      found.push(mapping)
    }
    if (found.length === 0) throw notMappedError(start, size, 'nothing is mapped there')
    return found
  }

  /**
   * Takes a mapping away. When the kernel refuses, it stays in the books.
   *
   * @returns Whether it was one of these books: nothing has changed otherwise.
   */
  unmap(mapping: DomainMapping): boolean {
    // Out of the books first, which says whether it stands in them: one search does for both.
    if (!this.#mappings.delete(mapping)) return false
    const { start, size } = mapping
    try {
      const removed = this.#backend.ready ? this.#backend.unmap(start, size) : size
      if (removed !== size) throw partlyUnmappedError(start, mapping.end, size, removed)
    } catch (error) {
      this.#mappings.add(mapping)
      throw error
    }
    this.#allocator?.release(start, mapping.end)
    return true
  }

  /** Takes several mappings away, given in ascending order with nothing else between them, in one step of the kernel's. */
  unmapRun(mappings: readonly DomainMapping[]): number {
    const [first] = mappings
    const last = mappings.at(-1)
    if (first === undefined || last === undefined) return 0
    const bytes = mappings.reduce((sum, { size }) => sum + size, 0)
    if (this.#backend.ready) {
      const removed = this.#backend.unmap(first.start, last.end - first.start)
      if (removed !== bytes) throw partlyUnmappedError(first.start, last.end, bytes, removed)
    }
    for (const mapping of mappings) this.forget(mapping)
    return bytes
  }

  /** Takes a mapping out of the books alone. */
  forget(mapping: DomainMapping): void {
    this.#mappings.delete(mapping)
    this.#allocator?.release(mapping.start, mapping.end)
  }

  /** Makes the mappings that were remembered, now that there is a page table. */
  makeRemembered(): void {
    const ranges = this.#backend.ranges()
    for (const mapping of this.#mappings) {
      const size = BigInt(mapping.size)
      assertHeld(mapping.memory, `The memory mapped at ${formatRange(mapping.iova, size)}`)
      if (ranges !== undefined) assertWithin(ranges, mapping.iova, size)
      this.#backend.map(mapping)
    }
  }

  /** A free address: see {@link IovaAllocator.place}. */
  place(placement: Placement): number {
    this.#allocator ??= new IovaAllocator(this.#usable, this.#mappings)
    return this.#allocator.place(placement)
  }

  /** Asks the backend anew what can be mapped: each device that comes or goes may change it. */
  rangesChanged(): void {
    const ranges = this.#backend.ranges()
    this.#pageSize = Math.max(this.#backend.alignment, PAGE)
    const spans = (ranges ?? USABLE_EVERYWHERE).flatMap((range) => wholeUnits(range, this.#pageSize) ?? [])
    this.#allowed = ranges === undefined ? WHOLE_SPACE : spans
    this.#recent = NOWHERE
    this.#usable = spans
    this.#allocator?.setUsable(spans)
  }

  #rangeAround(start: number, end: number): Span {
    const around = this.#allowed.find((allowed) => start >= allowed.start && end <= allowed.end)
    if (around !== undefined) return around
    const ranges = this.#backend.ranges() ?? WHOLE_SPACE.map(toInclusive)
    return assertWithin(ranges, BigInt(start), BigInt(end - start))
  }
}

function alignmentError(where: Iova, { address, size }: MappableMemory, alignment: number): OpenbarError {
  const iova = toIova(where)
  const unit = BigInt(alignment)
  const culprit = (
    [
      ['The IOVA', iova],
      ['The size', BigInt(size)],
      ["The memory's address", BigInt(address)],
    ] as const
  ).find(([, value]) => value % unit !== 0n) ?? ['The IOVA', iova]
  return new OpenbarError('ERR_IOVA_ALIGNMENT', {
    message: `${culprit[0]}, ${formatIova(culprit[1])}, is not a multiple of the IOMMU's page size, ${alignment} bytes.`,
    context: { iova, size: BigInt(size), alignment: unit },
  })
}

function inUseError(wanted: DomainMapping, present: DomainMapping): OpenbarError<'ERR_IOVA_IN_USE'> {
  const { iova } = wanted
  const size = BigInt(wanted.size)
  return new OpenbarError('ERR_IOVA_IN_USE', {
    message: `${formatRange(iova, size)} cannot be mapped: ${formatRange(present.iova, BigInt(present.size))} is mapped already.`,
    hint: 'Choose another IOVA, or unmap what is there.',
    context: { iova, size },
  })
}

function notMappedError(iova: bigint, size: number, why: string): OpenbarError<'ERR_NOT_MAPPED'> {
  return new OpenbarError('ERR_NOT_MAPPED', {
    message: `${formatRange(iova, BigInt(size))} cannot be unmapped: ${why}.`,
    hint: 'Unmap whole mappings: domain.snapshot().mappings lists them.',
    context: { iova, size: BigInt(size) },
  })
}

function partlyUnmappedError(start: number, end: number, bytes: number, removed: number) {
  const iova = BigInt(start)
  const size = BigInt(end - start)
  return new OpenbarError('ERR_NOT_MAPPED', {
    message: `Of ${formatRange(iova, size)} the kernel unmapped ${removed} bytes instead of ${bytes}.`,
    hint: 'Something else unmaps in this domain; close it, which gives everything back.',
    context: { iova, size },
  })
}
