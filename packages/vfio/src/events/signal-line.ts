import { EventFd, type Fd, FdWatcher } from '@openbar/linux'
import { disableVectors, enableVectors } from '../interrupts/set-irqs.ts'

/**
 * One of the kernel's own messages about a device, which come as an interrupt of their own: that an error was reported (ERR), or
 * that the device is asked for back (REQ). Listening does not keep the process alive.
 *
 * @see linux/vfio.h, `VFIO_PCI_ERR_IRQ_INDEX`, `VFIO_PCI_REQ_IRQ_INDEX`
 */
export class SignalLine {
  readonly #index: number
  readonly #onSignal: (count: number) => void
  #armed: { readonly event: EventFd; readonly watcher: FdWatcher; readonly fd: Fd<'device'> } | undefined

  constructor(index: number, onSignal: (count: number) => void) {
    this.#index = index
    this.#onSignal = onSignal
  }

  /** Begins to listen. Does nothing for a device that has no such message, as ERR on one without PCI Express. */
  arm(fd: Fd<'device'>): void {
    const event = new EventFd()
    if (enableVectors(fd, this.#index, [event.fd]) !== 0) {
      event.close()
      return
    }
    const watcher = new FdWatcher(event.fd, () => this.look())
    watcher.unref()
    this.#armed = { event, watcher, fd }
  }

  /** Looks whether a message has come, without waiting for the event loop. */
  look(): void {
    const count = this.#armed?.event.take() ?? 0
    if (count > 0) this.#onSignal(count)
  }

  /** Ends listening. Further calls do nothing. */
  disarm(): void {
    const armed = this.#armed
    if (armed === undefined) return
    this.#armed = undefined
    // A device that was unplugged refuses; nobody listens any more all the same.
    disableVectors(armed.fd, this.#index)
    armed.watcher.close()
    armed.event.close()
  }
}
