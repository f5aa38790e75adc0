import type { RegisterAccess } from '../access/register-access.ts'

const OFFSET = 0x06
const ERRORS = 0xf900

/**
 * The status register, live: each property reads the device.
 *
 * Source: PCI Local Bus 3.0 §6.2.3; PCI Express Base 5.0 §7.5.1.1.4.
 *
 * @example
 * ```ts
 * if (config.status.receivedMasterAbort) config.status.clearErrors()
 * ```
 */
export class StatusRegister {
  readonly #access: RegisterAccess

  constructor(access: RegisterAccess) {
    this.#access = access
  }

  /** The whole register. */
  get value(): number {
    return this.#access.read16(OFFSET)
  }

  /** Whether an INTx interrupt is pending in the function. */
  get interruptStatus(): boolean {
    return this.#get(3)
  }

  /** Whether the function has capabilities. */
  get capabilitiesList(): boolean {
    return this.#get(4)
  }

  /** A bus master saw or made a parity error (a poisoned packet). */
  get masterDataParityError(): boolean {
    return this.#get(8)
  }

  /** The function answered a request with Completer Abort. */
  get signaledTargetAbort(): boolean {
    return this.#get(11)
  }

  /** A request of the function was answered with Completer Abort. */
  get receivedTargetAbort(): boolean {
    return this.#get(12)
  }

  /** A request of the function reached nobody. */
  get receivedMasterAbort(): boolean {
    return this.#get(13)
  }

  /** The function reported a fatal or non-fatal error. */
  get signaledSystemError(): boolean {
    return this.#get(14)
  }

  /** The function received a parity error (a poisoned packet). */
  get detectedParityError(): boolean {
    return this.#get(15)
  }

  /** Clears the error bits (the last six properties), by writing ones to them as the specification has it. */
  clearErrors(): void {
    this.#access.write16(OFFSET, ERRORS)
  }

  #get(bit: number): boolean {
    return (this.value & (1 << bit)) !== 0
  }
}
