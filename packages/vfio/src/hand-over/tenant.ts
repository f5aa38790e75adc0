import { isOpenbarError, type MessageSocket, OpenbarError, type SocketWaitOptions } from '@openbar/linux'
import type { Lease } from './lease.ts'

/** How long a program that is asked for its device may take, in milliseconds. */
const PULL_MS = 3000

/** A program that drives a device which was handed to it. */
export interface Tenant {
  /** Process id. */
  readonly pid: number
  /**
   * Fulfilled when the program has taken the device over. Rejected when it ended before that, or could not; the device is back then.
   */
  readonly adopted: Promise<void>
  /**
   * Fulfilled when the device is back: the program has closed it, or ended in whatever way. Its DMA and interrupts are stopped, it was
   * reset where it can be, and the address space of the program is gone, with all that was mapped in it. Rejected when the kernel refused a step.
   */
  readonly released: Promise<void>
}

/** The launcher's side of a hand-over: waits for the program's end and takes the device back then. */
export class Tenancy {
  readonly pid: number
  readonly adopted: Promise<void>
  readonly released: Promise<void>
  readonly #leash: MessageSocket
  /** Ends the watch when the connection cannot tell: the program has inherited it to others. */
  readonly #gone = new AbortController()

  /**
   * @param leash - This end of the connection that lasts as long as the device is held.
   * @param onReleased - Called when the device is back, whether the kernel refused a step or not.
   */
  constructor(pid: number, lease: Lease, leash: MessageSocket, onReleased: () => void) {
    this.pid = pid
    this.#leash = leash
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.adopted = promise
    this.released = this.#watch(resolve).finally(() => {
      leash.close()
      try {
        lease.end()
      } finally {
        onReleased()
        reject(neverAdoptedError(pid))
      }
    })
    // Who does not ask need not hear.
    this.adopted.catch(() => {})
    this.released.catch(() => {})
  }

  /** Asks the program for the device, which it closes when its event loop turns; it is taken from it when that does not come. */
  pull(): void {
    const timer = setTimeout(() => this.#leash.close(), PULL_MS)
    const stop = () => clearTimeout(timer)
    this.released.then(stop, stop)
    const asked = this.#leash.send(new TextEncoder().encode('{"release":true}'), { timeout: PULL_MS })
    asked.catch(() => this.#leash.close())
  }

  /** The program has ended. */
  ended(): void {
    this.#gone.abort()
  }

  async #watch(onAdopted: () => void): Promise<void> {
    const wait: SocketWaitOptions = { signal: this.#gone.signal }
    try {
      for (;;) {
        const message = await this.#leash.receive(wait)
        if (message === undefined) return
        if (new TextDecoder().decode(message.bytes).includes('"adopted"')) onAdopted()
      }
    } catch (error) {
      if (!this.#gone.signal.aborted && !isOpenbarError(error, 'ERR_CLOSED')) throw error
    }
  }
}

function neverAdoptedError(pid: number): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', {
    message: `Process ${pid} ended, or gave the device back, before it had taken it over.`,
    hint: 'What it said on its standard error tells why; it has to call Device.adopt() or Device.receive().',
    context: { what: 'hand-over' },
  })
}
