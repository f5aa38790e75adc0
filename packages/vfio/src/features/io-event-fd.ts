import { EventFd, type Fd, OpenbarError } from '@openbar/linux'
import type { FeatureOwner } from './feature-owner.ts'
import { type IoEvent, type IoEventOptions, ioEventError, parseIoEvent, requestIoEvent } from './io-event.ts'
import { type OwnedHalf, OwnedView } from './owned-view.ts'

/** The core's half: what the kernel holds, and nothing that a user holds. */
class IoEventBinding implements OwnedHalf {
  readonly mapped = false
  readonly event = new EventFd()
  readonly #fd: Fd<'device'>
  readonly #write: IoEvent
  closed = false

  constructor(fd: Fd<'device'>, write: IoEvent) {
    this.#fd = fd
    this.#write = write
    const result = requestIoEvent(fd, write, this.event.fd)
    if (result >= 0) return
    this.event.close()
    throw ioEventError(write, -result)
  }

  revoke(): void {
    if (this.closed) return
    this.closed = true
    // Before its eventfd goes: the kernel would drop the pair by itself, but only some time after. A device that is gone refuses.
    requestIoEvent(this.#fd, this.#write, -1)
    this.event.close()
  }
}

/**
 * A write to one of the device's registers that happens when an eventfd is signalled: by the kernel, whoever signals it.
 *
 * It goes when the device is closed, loses its domain, is reset or enters low power. While memory decoding is off or the device
 * is not in D0 the kernel drops the write.
 *
 * @see linux/vfio.h, `struct vfio_device_ioeventfd`
 *
 * @example
 * ```ts
 * using doorbell = device.ioeventfd({ region: 0, offset: 0x3818, width: 32, value: 0 })
 * doorbell.signal()
 * ```
 */
export class IoEventFd extends OwnedView<IoEventBinding> {
  readonly #what: string

  /** @internal Made by `device.ioeventfd`. */
  constructor(owner: FeatureOwner, options: IoEventOptions) {
    const { fd } = owner
    const write = parseIoEvent(fd, owner.address, options)
    super(owner, new IoEventBinding(fd, write))
    this.#what = write.what
  }

  /**
   * The eventfd, for others to signal: another process, a virtual machine monitor. Do not close it.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   */
  get fd(): Fd<'eventfd'> {
    return this.#event().fd
  }

  /**
   * Has the write made. It has been made when this returns, unless the kernel had the device locked for a moment: then it follows
   * soon after.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   */
  signal(): void {
    this.#event().signal()
  }

  #event(): EventFd {
    if (!this.closed) return this.half.event
    throw new OpenbarError('ERR_CLOSED', {
      message: `${this.#what}: this ioeventfd was closed or taken away.`,
      hint: 'Make another one: device.ioeventfd({ region, offset, width, value }).',
      context: { what: this.#what },
    })
  }
}
