import { Errno, EventFd, type Fd, FdWatcher, syscallError } from '@openbar/linux'
import { INTERRUPT_INDEX, type SignalKind } from './interrupt-kind.ts'
import { armVectors, disableVectors, triggerVector } from './set-irqs.ts'

/**
 * One of the kernel's own events for a device, armed: it calls back in the event loop, and does not keep the process alive.
 *
 * It has to be closed before the device's file: it disarms the event on it.
 *
 * @see linux/vfio.h, `VFIO_PCI_ERR_IRQ_INDEX`, `VFIO_PCI_REQ_IRQ_INDEX`
 *
 * @example
 * ```ts
 * const request = DeviceSignal.arm(fd, '0000:00:02.0', 'req', () => console.log('The kernel wants the device back'))
 * request?.close()
 * ```
 */
export class DeviceSignal {
  readonly kind: SignalKind
  readonly #fd: Fd<'device'>
  readonly #event: EventFd
  readonly #watcher: FdWatcher
  readonly #onSignal: (count: number) => void
  #closed = false

  private constructor(fd: Fd<'device'>, kind: SignalKind, event: EventFd, onSignal: (count: number) => void) {
    this.kind = kind
    this.#fd = fd
    this.#event = event
    this.#onSignal = onSignal
    this.#watcher = new FdWatcher(event.fd, () => this.poll())
    this.#watcher.unref()
  }

  /**
   * Arms an event.
   *
   * @param onSignal - Called with how often it was signalled since the last call. What it throws is an uncaught exception.
   * @returns `undefined` when the device has no such event: errors are told of PCI Express devices only.
   * @throws {@link OpenbarError} `ERR_SYSCALL`.
   */
  static arm(
    fd: Fd<'device'>,
    address: string,
    kind: SignalKind,
    onSignal: (count: number) => void,
  ): DeviceSignal | undefined {
    using opening = new DisposableStack()
    const event = opening.use(new EventFd())
    const result = armVectors(fd, INTERRUPT_INDEX[kind], 0, [event.fd])
    if (result === -Errno.ENOTTY || result === -Errno.EINVAL) return undefined
    if (result !== 0) throw syscallError(`ioctl(VFIO_DEVICE_SET_IRQS, ${kind})`, Math.abs(result), address)
    opening.defer(() => disableVectors(fd, INTERRUPT_INDEX[kind]))
    const signal = new DeviceSignal(fd, kind, event, onSignal)
    opening.move()
    return signal
  }

  /** Looks for the event at once, for a program whose event loop does not turn, and calls back if it was signalled. */
  poll(): void {
    if (this.#closed) return
    const count = this.#event.take()
    if (count > 0) this.#onSignal(count)
  }

  /** Signals the event as the kernel would, for tests. */
  trigger(): void {
    if (!this.#closed) triggerVector(this.#fd, INTERRUPT_INDEX[this.kind], 0)
  }

  /** Disarms the event. Further calls do nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    using steps = new DisposableStack()
    steps.use(this.#event)
    steps.use(this.#watcher)
    // Refused by a device that was unplugged: then there is nothing to disarm.
    steps.defer(() => disableVectors(this.#fd, INTERRUPT_INDEX[this.kind]))
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
