import { type E1000Registers, e1000Registers as table } from '../hardware/registers.ts'
import { BUFFER_BYTES, DescriptorRing, type RingMemory, STATUS_DD, WORDS } from './descriptor-ring.ts'

/** End of packet, insert the CRC, report status: in the command byte of the third word (SDM 3.3.3.1). */
const COMMAND = (0x01 | 0x02 | 0x08) << 24

/** The transmit ring, on legacy descriptors (SDM 3.3.3; 82574 7.2.10.1). */
export class TransmitRing {
  readonly #ring: DescriptorRing
  readonly #regs: E1000Registers
  /** The next descriptor that we fill, which is what the NIC's tail says. */
  #tail = 0
  /** The oldest descriptor that the NIC may still be busy with. */
  #oldest = 0

  constructor(memory: RingMemory, regs: E1000Registers, count: number) {
    this.#ring = new DescriptorRing(memory, count)
    this.#regs = regs
  }

  /** Tells the NIC where the ring is: empty, for head and tail are equal (SDM 14.5; 82574 4.6.6). */
  start(): void {
    const { low, high } = this.#ring.iova
    this.#regs.TDBAL.write(low)
    this.#regs.TDBAH.write(high)
    this.#regs.TDLEN.write(this.#ring.length)
    this.#regs.TDH.write(0)
    this.#regs.TDT.write(0)
  }

  /** Copies a frame into the ring and has it sent. @returns `false` when the ring is full. */
  send(frame: Uint8Array): boolean {
    const { words, bytes, count } = this.#ring
    const next = (this.#tail + 1) & (count - 1)
    if (next === this.#oldest) this.#reclaim()
    if (next === this.#oldest) return false
    const word = this.#tail * WORDS
    bytes.set(frame, this.#tail * BUFFER_BYTES)
    words[word + 2] = COMMAND | frame.length
    words[word + 3] = 0
    this.#tail = next
    // The NIC reads the descriptor once it sees the tail, so the tail is written last.
    this.#regs.TDT.write(next)
    return true
  }

  /** Gives the memory back. The transmitter has been stopped before. */
  close(): void {
    this.#ring.close()
  }

  /** Takes back what the NIC has sent: looks at the descriptors in memory, never at the head register. */
  #reclaim(): void {
    const { words, count } = this.#ring
    while (this.#oldest !== this.#tail && (words[this.#oldest * WORDS + 3]! & STATUS_DD) !== 0) {
      this.#oldest = (this.#oldest + 1) & (count - 1)
    }
  }
}

/** Switches the transmitter on (SDM 14.5; 82574 4.6.6): pad short frames, 15 tries, and Linux's gaps for copper. */
export function enableTransmitter(regs: E1000Registers, pciExpress: boolean): void {
  regs.TIPG.writeFields({ IPGT: 8, IPGR1: 8, IPGR2: 6 })
  if (pciExpress) regs.TXDCTL.update({ GRAN: true, COUNT_DESC: true, WTHRESH: 1 })
  regs.TCTL.writeFields({ EN: true, PSP: true, CT: 0x0f, COLD: 0x40, RTLC: true, MULR: pciExpress })
}

/** Switches the receiver on (SDM 14.4; 82574 4.6.5): broadcasts, 2048-byte buffers, frames without their CRC. */
export function enableReceiver(regs: E1000Registers): void {
  // Interrupt for each frame at once; moderation is the interrupt throttle's.
  regs.RDTR.write(0)
  regs.RADV.write(0)
  regs.RCTL.write(table.RCTL.EN | table.RCTL.BAM | table.RCTL.SECRC)
}
