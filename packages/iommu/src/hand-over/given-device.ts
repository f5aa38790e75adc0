import { closeFd, type Fd } from '@openbar/linux'

/**
 * A device's open file that somebody else has opened: a privileged program, which handed it over. A domain uses it in the place of
 * opening one, and leaves it open when the device leaves.
 *
 * `domain.givenDevice` makes one that is in a domain already; `new GivenDevice(fd)` one whose character device was opened and no more.
 *
 * @example
 * ```ts
 * using given = new GivenDevice(asFd<'device'>(5))
 * domain.attach({ address: '0000:00:02.0', group: 1, cdev: undefined, given })
 * ```
 */
export class GivenDevice {
  /** The device's file. It belongs to this object, which closes it. */
  readonly fd: Fd<'device'>
  /**
   * What the device is tied to for as long as the file is open: an iommufd context, or a container; `undefined` before it is.
   *
   * @internal
   */
  home: object | undefined
  /** The kernel's number for the device in its iommufd context, where it is known. */
  deviceId: number | undefined
  readonly #onClose: () => void
  #closed = false

  /** @param onClose - Called once, after the file was closed. */
  constructor(fd: Fd<'device'>, onClose: () => void = () => {}) {
    this.fd = fd
    this.#onClose = onClose
  }

  /** Whether the file was closed. */
  get closed(): boolean {
    return this.#closed
  }

  /** Closes the file, which takes the device out of its domain. Further calls do nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      closeFd(this.fd)
    } finally {
      this.#onClose()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
