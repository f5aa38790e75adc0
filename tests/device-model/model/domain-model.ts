import type { BackendName } from '@openbar/iommu'
import type { ErrorCode } from '@openbar/linux'
import { Scratch } from './scratch.ts'

/** A range of addresses that is mapped, by the caller or as a buffer. */
export interface MappedRange {
  readonly iova: number
  readonly size: number
  /** Of a buffer of the domain's; `undefined` for memory of the caller's. */
  readonly buffer: BufferModel | undefined
}

/** A buffer of DMA memory. */
export class BufferModel {
  readonly words = new Scratch(0)
  closed = false
  /** Whether the caller has transferred its memory away. */
  stolen = false
}

/** What a domain has to be like. */
export class DomainModel {
  readonly backend: BackendName
  readonly devices = new Set<object>()
  ranges: MappedRange[] = []
  state: 'open' | 'closing' | 'closed' = 'open'

  constructor(backend: BackendName) {
    this.backend = backend
  }

  get refusal(): ErrorCode | undefined {
    return this.state === 'open' ? undefined : 'ERR_CLOSED'
  }

  mapRefusal(iova: number, size: number): ErrorCode | undefined {
    if (this.state !== 'open') return 'ERR_CLOSED'
    if (iova % 4096 !== 0) return 'ERR_IOVA_ALIGNMENT'
    return this.#overlapping(iova, size).length > 0 ? 'ERR_IOVA_IN_USE' : undefined
  }

  unmapRefusal(iova: number, size: number): ErrorCode | undefined {
    if (this.state !== 'open') return 'ERR_CLOSED'
    const found = this.#overlapping(iova, size)
    if (found.length === 0) return 'ERR_NOT_MAPPED'
    if (found.some((range) => range.iova < iova || range.iova + range.size > iova + size)) return 'ERR_NOT_MAPPED'
    return found.some(({ buffer }) => buffer !== undefined) ? 'ERR_DOMAIN_STATE' : undefined
  }

  map(range: MappedRange): void {
    this.ranges.push(range)
  }

  /** @returns How many bytes go. */
  unmap(iova: number, size: number): number {
    const gone = this.#overlapping(iova, size)
    this.ranges = this.ranges.filter((range) => !gone.includes(range))
    return gone.reduce((sum, range) => sum + range.size, 0)
  }

  closeBuffer(buffer: BufferModel): void {
    buffer.closed = true
    this.ranges = this.ranges.filter((range) => range.buffer !== buffer)
  }

  /** Bytes that it has pinned. */
  get pinned(): number {
    return this.devices.size === 0 ? 0 : this.ranges.reduce((sum, { size }) => sum + size, 0)
  }

  close(): void {
    if (this.state === 'open') this.state = 'closing'
    this.#endWhenEmpty()
  }

  leave(device: object): void {
    this.devices.delete(device)
    this.#endWhenEmpty()
  }

  #endWhenEmpty(): void {
    if (this.state !== 'closing' || this.devices.size > 0) return
    this.state = 'closed'
    for (const { buffer } of this.ranges) if (buffer !== undefined) buffer.closed = true
    this.ranges = []
  }

  #overlapping(iova: number, size: number): MappedRange[] {
    return this.ranges.filter((range) => range.iova < iova + size && iova < range.iova + range.size)
  }
}
