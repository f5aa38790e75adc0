import {
  EventFd,
  type Fd,
  FdWatcher,
  OpenbarError,
  syscallError,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
  VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
  vfioDeviceLowPowerEntryWithWakeup,
} from '@openbar/linux'
import { tryFeature } from '../features/device-feature.ts'

/** Who waits for the device to wake up. */
interface Sleeper {
  readonly woken: () => void
  /** It ended in another way. */
  readonly ended: (reason: OpenbarError) => void
}

/**
 * The core's half of a device's low power: whether it is in it, and who waits for it to wake up. It reaches nothing that a user
 * holds, but for callbacks, which end with it.
 *
 * @see linux/vfio.h, `VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY` and those after it
 */
export class LowPower {
  readonly #address: string
  readonly #sleepers = new Set<Sleeper>()
  #fd: Fd<'device'> | undefined
  #wakeUp: EventFd | undefined
  #watcher: FdWatcher | undefined

  constructor(address: string) {
    this.#address = address
  }

  /** Whether the device is in low power; not any more once it was woken. */
  get on(): boolean {
    this.#noticeWakeUp()
    return this.#fd !== undefined
  }

  /** Whether it is in low power, and its waking up will be told. */
  get tellsWakeUp(): boolean {
    return this.on && this.#wakeUp !== undefined
  }

  /** @throws {@link OpenbarError} `ERR_LOW_POWER`. */
  assertAwake(): void {
    if (this.#fd === undefined || !this.on) return
    throw new OpenbarError('ERR_LOW_POWER', {
      message: `${this.#address} is in low power, where it must not be touched.`,
      hint: 'Wake it first: device.power.exitLowPower().',
      context: { address: this.#address },
    })
  }

  /** Lets the kernel take the device's power away. It is quiet already, and is awake. */
  enter(fd: Fd<'device'>, tellWakeUp: boolean): void {
    const wakeUp = tellWakeUp ? new EventFd() : undefined
    const result = wakeUp === undefined ? enterSilently(fd) : enterWithWakeUp(fd, wakeUp)
    if (result < 0) {
      wakeUp?.close()
      throw syscallError('ioctl(VFIO_DEVICE_FEATURE, low power entry)', -result, this.#address)
    }
    this.#fd = fd
    this.#wakeUp = wakeUp
  }

  /** Wakes the device. Does nothing when it is awake. */
  exit(): void {
    if (!this.on) return
    const fd = this.#fd!
    // A device that is gone refuses; it is not in low power any more either way.
    const result = tryFeature(fd, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 'set', new Uint8Array(0))
    this.#end(({ woken }) => woken())
    if (result < 0) throw syscallError('ioctl(VFIO_DEVICE_FEATURE, low power exit)', -result, this.#address)
  }

  /** Wakes the device because it is let go of: who waits hears that. */
  leave(): void {
    if (!this.on) return
    tryFeature(this.#fd!, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, 'set', new Uint8Array(0))
    const reason = new OpenbarError('ERR_CLOSED', {
      message: `${this.#address} was closed, reset or taken out of its domain while it was in low power.`,
      context: { what: this.#address },
    })
    this.#end(({ ended }) => ended(reason))
  }

  /** Calls back once the device was woken, or low power has ended otherwise. Keeps the process alive. */
  subscribe(sleeper: Sleeper): () => void {
    this.#sleepers.add(sleeper)
    if (this.#wakeUp !== undefined) this.#watcher ??= new FdWatcher(this.#wakeUp.fd, () => this.#noticeWakeUp())
    return () => {
      if (!this.#sleepers.delete(sleeper) || this.#sleepers.size > 0) return
      this.#watcher?.close()
      this.#watcher = undefined
    }
  }

  /** The kernel ends low power by itself when it wakes the device and has told so. */
  #noticeWakeUp(): void {
    if (this.#wakeUp !== undefined && this.#wakeUp.take() > 0) this.#end(({ woken }) => woken())
  }

  #end(tell: (sleeper: Sleeper) => void): void {
    this.#fd = undefined
    this.#watcher?.close()
    this.#watcher = undefined
    this.#wakeUp?.close()
    this.#wakeUp = undefined
    // Not from in here: the device may be halfway through being closed, and must not be called now.
    for (const sleeper of this.#sleepers) queueMicrotask(() => tell(sleeper))
    this.#sleepers.clear()
  }
}

function enterSilently(fd: Fd<'device'>): number {
  return tryFeature(fd, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, 'set', new Uint8Array(0))
}

function enterWithWakeUp(fd: Fd<'device'>, wakeUp: EventFd): number {
  const entry = vfioDeviceLowPowerEntryWithWakeup.allocate()
  entry.wakeup_eventfd = wakeUp.fd
  return tryFeature(fd, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, 'set', entry.bytes)
}
