import type { E1000Registers } from './registers.ts'

/** What the NIC has counted since it was started. Totals that never go back. */
export interface Statistics {
  readonly receivedPackets: bigint
  /** From destination address to CRC. */
  readonly receivedBytes: bigint
  readonly receivedBroadcasts: bigint
  readonly receivedMulticasts: bigint
  readonly transmittedPackets: bigint
  /** From destination address to CRC. */
  readonly transmittedBytes: bigint
  /** Frames for which the receive FIFO had no room. */
  readonly missedPackets: bigint
  readonly crcErrors: bigint
  readonly receiveErrors: bigint
  readonly undersizedPackets: bigint
  readonly oversizedPackets: bigint
}

/**
 * Adds the NIC's counters up.
 *
 * They have 32 or 64 bits, stop at their maximum, and are set to zero by a read (SDM 13.7, 82574 10.2.7), so each look
 * adds what came since the last.
 */
export class StatisticsCounter {
  readonly #regs: E1000Registers
  readonly #totals = new Map<keyof Statistics, bigint>()
  #lastMissed = 0

  constructor(regs: E1000Registers) {
    this.#regs = regs
    // What was counted before the start is not ours: read once and forget.
    this.read()
    this.#totals.clear()
  }

  read(): Statistics {
    const regs = this.#regs
    return {
      receivedPackets: this.#add('receivedPackets', regs.GPRC.read()),
      receivedBytes: this.#add('receivedBytes', regs.GORCL.read(), regs.GORCH.read()),
      receivedBroadcasts: this.#add('receivedBroadcasts', regs.BPRC.read()),
      receivedMulticasts: this.#add('receivedMulticasts', regs.MPRC.read()),
      transmittedPackets: this.#add('transmittedPackets', regs.GPTC.read()),
      transmittedBytes: this.#add('transmittedBytes', regs.GOTCL.read(), regs.GOTCH.read()),
      missedPackets: this.#add('missedPackets', this.#readMissed()),
      crcErrors: this.#add('crcErrors', regs.CRCERRS.read()),
      receiveErrors: this.#add('receiveErrors', regs.RXERRC.read()),
      undersizedPackets: this.#add('undersizedPackets', regs.RUC.read()),
      oversizedPackets: this.#add('oversizedPackets', regs.ROC.read()),
    }
  }

  #add(name: keyof Statistics, low: number, high = 0): bigint {
    const total = (this.#totals.get(name) ?? 0n) + (BigInt(high) << 32n) + BigInt(low)
    this.#totals.set(name, total)
    return total
  }

  /** QEMU's models do not clear this counter on a read, as the hardware does: a second read tells which it is. */
  #readMissed(): number {
    const first = this.#regs.MPC.read()
    const second = this.#regs.MPC.read()
    if (second < first) {
      this.#lastMissed = 0
      return first + second
    }
    const missed = second >= this.#lastMissed ? second - this.#lastMissed : second
    this.#lastMissed = second
    return missed
  }
}
