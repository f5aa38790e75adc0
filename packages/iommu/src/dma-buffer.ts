import type { MappedMemory } from '@openbar/linux'
import type { DmaAccess } from './access.ts'
import type { Mapping } from './mapping.ts'

/**
 * Memory that both this program and the devices of a domain can reach.
 *
 * Its views are real memory: what a device writes there by DMA is what the next read sees.
 *
 * @example
 * ```ts
 * using buffer = domain.allocate(64 * 1024)
 * buffer.u32[0] = 0x12345678
 * device.bar(0).map().write32(DMA_SOURCE, Number(buffer.iova))
 * ```
 */
export class DmaBuffer {
  /** The first address, as the device sees it: an IOVA, or without an IOMMU the physical address. */
  readonly iova: bigint
  /** Bytes. */
  readonly size: number
  /** What the device may do with it. */
  readonly access: DmaAccess
  /** The memory itself: to map it in a second domain, or to hand a shared one to another process. It belongs to the buffer. */
  readonly memory: MappedMemory
  /** The memory as bytes; of length 0 once the buffer is closed. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The memory as 16-bit words. */
  readonly u16: Uint16Array<ArrayBuffer>
  /** The memory as 32-bit words. */
  readonly u32: Uint32Array<ArrayBuffer>
  /** The memory as 64-bit words. */
  readonly u64: BigUint64Array<ArrayBuffer>
  /** The memory for access of any width and byte order. */
  readonly view: DataView<ArrayBuffer>
  /** Where the memory stands in the machine, without an IOMMU; `undefined` behind one, where nobody needs to know. */
  readonly physicalAddress: bigint | undefined
  readonly #release: () => void

  /** @internal Buffers come from `domain.allocate`. */
  constructor(mapping: Mapping, memory: MappedMemory, release: () => void, physicalAddress?: bigint) {
    this.iova = mapping.iova
    this.size = mapping.size
    this.access = mapping.access
    this.memory = memory
    this.physicalAddress = physicalAddress
    this.#release = release
    this.bytes = new Uint8Array(memory.buffer)
    this.u16 = new Uint16Array(memory.buffer)
    this.u32 = new Uint32Array(memory.buffer)
    this.u64 = new BigUint64Array(memory.buffer)
    this.view = new DataView(memory.buffer)
  }

  /** Bytes of one page of the memory: 4096, or a hugepage's. */
  get pageSize(): number {
    return this.memory.pageSize
  }

  /** Whether the memory is gone. */
  get closed(): boolean {
    return this.memory.revoked
  }

  /**
   * Takes the memory away from the devices, and then from this program: every view becomes empty. Further calls do
   * nothing.
   *
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` without an IOMMU, while a device of the domain is bus master.
   */
  close(): void {
    if (this.closed) return
    this.#release()
    this.memory.revoke()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
