import type { Device, InterruptKind, InterruptVector } from '@openbar/vfio'
import { type E1000Registers, e1000Registers as table } from './hardware/registers.ts'

/** Whom the interrupts tell. */
export interface InterruptListener {
  /** Frames came. Receive interrupts stay masked until {@link NicInterrupts.armReceive}. */
  onReceive(): void
  /** The handler failed, as it does when the device is gone; or interrupts were switched off from elsewhere. */
  onError(error: unknown): void
}

const { LSC, RXDMT0, RXO, RXT0, RXQ0, OTHER } = table.IMS
/** With one vector for everything, a receive is told by the receive timer, the threshold or an overrun. */
const RECEIVE_CAUSES = RXT0 | RXDMT0 | RXO

/**
 * The NIC's interrupts: INTx, MSI, or MSI-X with a vector for receiving and one for the rest.
 *
 * Each way ends in the same contract: a receive interrupt tells the listener and stays masked, so that a flood of frames
 * is drained by polling; arming it again delivers what came meanwhile, so no wake-up is lost.
 */
export class NicInterrupts {
  readonly kind: InterruptKind
  readonly #device: Device
  readonly #regs: E1000Registers
  readonly #listener: InterruptListener
  readonly #receiveCauses: number
  #count = 0
  #armed = false

  constructor(device: Device, regs: E1000Registers, kind: InterruptKind, listener: InterruptListener) {
    this.#device = device
    this.#regs = regs
    this.kind = kind
    this.#listener = listener
    this.#receiveCauses = kind === 'msix' ? RXQ0 : RECEIVE_CAUSES
  }

  /** Interrupts handled so far. */
  get count(): number {
    return this.#count
  }

  /** Whether the next frame interrupts. While it does, the ring need not be looked at. */
  get armed(): boolean {
    return this.#armed
  }

  /** Switches interrupts on, and arms the first. */
  start(): void {
    // No throttling: whoever is woken polls, and only then lets the NIC interrupt again.
    this.#regs.ITR.write(0)
    if (this.kind === 'msix') this.#startMsix()
    else this.#startSingle()
    this.armReceive()
  }

  /** Lets the next frame, or one that came unheard, interrupt. */
  armReceive(): void {
    this.#armed = true
    this.#regs.IMS.write(this.#receiveCauses)
  }

  #startSingle(): void {
    const [vector] = this.#device.interrupts.enable(this.kind).vectors
    const intx = this.kind === 'intx'
    this.#subscribe(vector, () => {
      // Reading the causes clears them (SDM 13.4.17).
      const causes = this.#regs.ICR.read()
      if ((causes & RECEIVE_CAUSES) !== 0) {
        this.#regs.IMC.write(RECEIVE_CAUSES)
        this.#received()
      }
      // The kernel masks a level-triggered line when it delivers; by now the NIC no longer asserts it.
      if (intx) vector.unmask()
    })
    this.#regs.IMS.write(LSC)
  }

  #startMsix(): void {
    const [receive, other] = this.#device.interrupts.enable('msix', { vectors: 2 }).vectors
    this.#subscribe(receive, () => this.#received())
    // Not auto-cleared: writing ones clears the causes, after which the vector can fire again (82574 10.2.4.1).
    if (other !== undefined) this.#subscribe(other, () => this.#regs.ICR.clear(LSC | RXO | OTHER))
    // 82574 7.4.2: each cause goes to a vector by IVAR; EIAC makes the receive message clear its own cause and mask.
    this.#regs.IVAR.writeFields({ RXQ0: 0, RXQ0_VALID: true, OTHER: 1, OTHER_VALID: true })
    this.#regs.CTRL_EXT.set('PBA')
    this.#regs.EIAC.write(RXQ0)
    this.#regs.IMS.write(LSC | OTHER)
  }

  #received(): void {
    this.#armed = false
    this.#listener.onReceive()
  }

  #subscribe(vector: InterruptVector, handler: () => void): void {
    const onError = (error: unknown) => this.#listener.onError(error)
    vector.subscribe(() => {
      this.#count += 1
      try {
        handler()
      } catch (error) {
        onError(error)
      }
    }, onError)
  }
}

/** The best kind that the device has: message-signalled before shared lines. */
export function bestInterruptKind(device: Device): InterruptKind {
  if (device.interrupts.info('msix').count >= 2) return 'msix'
  return device.interrupts.info('msi').count > 0 ? 'msi' : 'intx'
}
