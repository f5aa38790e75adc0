import type { DmaBuffer } from '@openbar/iommu'
import { OpenbarError } from '@openbar/vfio'

/** Bytes of a legacy descriptor, for both directions (SDM 3.2.3 and 3.3.3; 82574 7.1.4 and 7.2.10). */
export const DESCRIPTOR_BYTES = 16
/** A descriptor's 32-bit words: the buffer's address (low, high), length and command, status. */
export const WORDS = 4
/** A buffer's bytes: two fit a page, so none crosses into a page that may lie elsewhere in physical memory. */
export const BUFFER_BYTES = 2048

/** Status bit of both directions: the NIC is done with the descriptor. */
export const STATUS_DD = 1 << 0

/** Where a ring's memory comes from: a `Domain`. */
export interface RingMemory {
  allocate(size: number): Pick<DmaBuffer, 'iova' | 'bytes' | 'u32' | 'close'>
}

/**
 * A ring of descriptors and a buffer for each, in memory that the NIC can reach.
 *
 * SDM 3.2.6 and 3.4: the NIC owns the descriptors from head to tail, we own the rest; head equal to tail is empty.
 */
export class DescriptorRing {
  readonly count: number
  /** The descriptors as 32-bit words. */
  readonly words: Uint32Array
  /** All buffers, one after the other. */
  readonly bytes: Uint8Array
  readonly #descriptors: ReturnType<RingMemory['allocate']>
  readonly #buffers: ReturnType<RingMemory['allocate']>

  constructor(memory: RingMemory, count: number) {
    // RDLEN and TDLEN count in units of 128 bytes, which is eight descriptors (SDM 13.4.27, 13.4.38).
    if (!Number.isInteger(count) || count < 8 || count > 4096 || (count & (count - 1)) !== 0) {
      throw new OpenbarError('ERR_INVALID_ARGUMENT', {
        message: `A ring must have a power of two of descriptors from 8 to 4096, not ${count}.`,
        context: { argument: 'descriptors', value: count },
      })
    }
    this.count = count
    this.#descriptors = memory.allocate(count * DESCRIPTOR_BYTES)
    try {
      this.#buffers = memory.allocate(count * BUFFER_BYTES)
    } catch (error) {
      this.#descriptors.close()
      throw error
    }
    this.words = this.#descriptors.u32
    this.bytes = this.#buffers.bytes
    this.#pointAtBuffers()
  }

  /** The ring's address, as the NIC sees it. */
  get iova(): { readonly low: number; readonly high: number } {
    return split(this.#descriptors.iova)
  }

  /** Bytes of all descriptors. */
  get length(): number {
    return this.count * DESCRIPTOR_BYTES
  }

  /** Gives the memory back. The NIC has been stopped before. */
  close(): void {
    this.#descriptors.close()
    this.#buffers.close()
  }

  #pointAtBuffers(): void {
    for (let index = 0; index < this.count; index += 1) {
      const { low, high } = split(this.#buffers.iova + BigInt(index * BUFFER_BYTES))
      this.words[index * WORDS] = low
      this.words[index * WORDS + 1] = high
    }
  }
}

/** An IOVA as the two halves that registers and descriptors take. */
function split(iova: bigint): { low: number; high: number } {
  return { low: Number(iova & 0xffff_ffffn), high: Number(iova >> 32n) }
}
