import { isOpenbarError, type MessageSocket } from '@openbar/linux'

/**
 * The receiving program's end of the connection to the one that handed a device over. It lasts as long as the device is held: when
 * either end is closed, by hand or by a process's end, the other one learns it.
 */
export class Leash {
  readonly #socket: MessageSocket
  /** Called when the other program wants the device back, or has ended. */
  onPulled: () => void = () => {}

  constructor(socket: MessageSocket) {
    this.#socket = socket
  }

  /** Tells the other program what has become of the device, and begins to watch. */
  async report(outcome: { readonly adopted: true } | { readonly refused: string }): Promise<void> {
    await this.#socket.send(new TextEncoder().encode(JSON.stringify(outcome)), { timeout: 5000 })
    if ('adopted' in outcome) void this.#watch()
  }

  close(): void {
    this.#socket.close()
  }

  async #watch(): Promise<void> {
    const never = new AbortController().signal
    try {
      // A message asks for the device; without one the other program has ended.
      await this.#socket.receive({ signal: never, background: true })
    } catch (error) {
      // Closed at this end.
      if (isOpenbarError(error, 'ERR_CLOSED')) return
    }
    this.onPulled()
  }
}
