import type { E1000Registers } from '../hardware/registers.ts'
import { BUFFER_BYTES, DescriptorRing, type RingMemory, STATUS_DD, WORDS } from './descriptor-ring.ts'

const STATUS_EOP = 1 << 1
const ERRORS_SHIFT = 8
const ERRORS_MASK = 0xff
/** CRC, symbol, sequence, carrier extension or data errors; the two checksum errors do not make a frame bad (SDM 3.2.3.2). */
const FRAME_ERRORS = 0x97
/** Used descriptors are given back this many at a time at most, for each tail write is a trip over the bus. */
const BATCH = 16

/** The receive ring, on legacy descriptors (SDM 3.2.3; 82574 7.1.4). */
export class ReceiveRing {
  readonly #ring: DescriptorRing
  readonly #regs: E1000Registers
  readonly #batch: number
  #next = 0
  #used = 0
  /** Whether the frame in the next descriptor began in an earlier one. */
  #continued = false

  constructor(memory: RingMemory, regs: E1000Registers, count: number) {
    this.#ring = new DescriptorRing(memory, count)
    this.#regs = regs
    this.#batch = Math.min(BATCH, count / 4)
  }

  /**
   * Tells the NIC where the ring is, and gives it all descriptors but one.
   *
   * SDM 14.4: base, length, then head and tail. The tail stops one short of the head, for if it met the head the ring
   * would count as empty.
   */
  start(): void {
    const { low, high } = this.#ring.iova
    this.#regs.RDBAL.write(low)
    this.#regs.RDBAH.write(high)
    this.#regs.RDLEN.write(this.#ring.length)
    this.#regs.RDH.write(0)
    this.#regs.RDT.write(this.#ring.count - 1)
  }

  /** Whether the NIC has filled a descriptor that was not taken yet. */
  get pending(): boolean {
    return (this.#ring.words[this.#next * WORDS + 3]! & STATUS_DD) !== 0
  }

  /** Takes the next good frame out of the ring, as a copy; `undefined` when none has come. */
  take(): Uint8Array | undefined {
    const { words, bytes, count } = this.#ring
    for (;;) {
      const word = this.#next * WORDS
      const status = words[word + 3]!
      if ((status & STATUS_DD) === 0) return undefined
      const length = words[word + 2]! & 0xffff
      // Frames are smaller than a buffer: one that goes over several descriptors is dropped, down to its last.
      const whole = (status & STATUS_EOP) !== 0 && !this.#continued
      this.#continued = (status & STATUS_EOP) === 0
      const good = whole && ((status >>> ERRORS_SHIFT) & ERRORS_MASK & FRAME_ERRORS) === 0
      const start = this.#next * BUFFER_BYTES
      const frame = good && length <= BUFFER_BYTES ? bytes.slice(start, start + length) : undefined
      words[word + 3] = 0
      this.#next = (this.#next + 1) & (count - 1)
      this.#used += 1
      if (this.#used >= this.#batch) this.giveBack()
      if (frame !== undefined) return frame
    }
  }

  /** Gives the NIC back the descriptors whose frames were taken. Before sleeping, or the NIC may run out of them. */
  giveBack(): void {
    if (this.#used === 0) return
    this.#used = 0
    // The last descriptor that is ours stays ours: see start().
    this.#regs.RDT.write((this.#next - 1) & (this.#ring.count - 1))
  }

  /** Gives the memory back. The receiver has been stopped before. */
  close(): void {
    this.#ring.close()
  }
}
