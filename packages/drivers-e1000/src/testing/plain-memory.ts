import type { RingMemory } from '../ring/descriptor-ring.ts'

/** Memory for rings that no device can reach. */
export class PlainMemory implements RingMemory {
  /** What was handed out, in order. */
  readonly buffers: ReturnType<RingMemory['allocate']>[] = []
  closed = 0
  #next = 0x1_2000_0000n

  allocate(size: number): ReturnType<RingMemory['allocate']> {
    const bytes = new Uint8Array(size)
    const close = () => {
      this.closed += 1
    }
    const buffer = { iova: this.#next, bytes, u32: new Uint32Array(bytes.buffer), close }
    this.#next += BigInt(size)
    this.buffers.push(buffer)
    return buffer
  }
}
