import { type Attachment, Domain, type GivenDevice } from '@openbar/iommu'
import { invalidArgument, type MessageSocket, OpenbarError, VFIO_PCI_ROM_REGION_INDEX } from '@openbar/linux'
import { ConfigSpace, PciAddress, type PciAddressLike } from '@openbar/pci'
import type { DeviceEvent } from '../events/device-event.ts'
import { iterateEvents } from '../events/iterate-events.ts'
import type { Subscription } from '../events/subscribers.ts'
import { DmaBuf, type DmaBufOptions } from '../features/dma-buf.ts'
import { DmaLogging } from '../features/dma-logging.ts'
import type { FeatureOwner } from '../features/feature-owner.ts'
import { type FeatureName, type FeatureSupport, readFeatures } from '../features/feature-support.ts'
import type { IoEventOptions } from '../features/io-event.ts'
import { IoEventFd } from '../features/io-event-fd.ts'
import { Migration } from '../features/migration.ts'
import { setVfToken } from '../features/vf-token.ts'
import { inheritDevice } from '../hand-over/inherit.ts'
import { locateGiven } from '../hand-over/locate-given.ts'
import { type ReceiveDeviceOptions, receiveDevice } from '../hand-over/receive.ts'
import type { TakenOver } from '../hand-over/take-over.ts'
import { Interrupts } from '../interrupts/interrupts.ts'
import { Power } from '../power/power.ts'
import { Region, type RegionOwner } from '../region/region.ts'
import { resetFunction } from '../reset/function-reset.ts'
import { resetBus } from '../reset/hot-reset.ts'
import { type HotResetInfo, readHotResetInfo } from '../reset/hot-reset-info.ts'
import { type ResetMethods, readResetMethods } from '../reset/reset-methods.ts'
import { ConfigAccess } from './config-access.ts'
import { giveBackAfter, takeDevice } from './device-binding.ts'
import { DeviceCore } from './device-core.ts'
import type { DeviceInfo } from './device-info.ts'
import { closeWhenForgotten } from './forgotten-devices.ts'
import { inTurn } from './in-turn.ts'
import { locateDevice } from './locate-device.ts'

/** How to open a device. */
export interface DeviceOptions {
  /** The domain that the device joins. A private one is opened when left out, and closed with the device. */
  readonly domain?: Domain
  /**
   * Takes the device from the driver that it is bound to and binds it to vfio-pci; closing the device gives it back.
   * `false` by default: the device must be bound to vfio-pci already.
   */
  readonly bind?: boolean
  /**
   * How many bits of an address the device drives, where that is fewer than 64: IOVAs are picked below while it is in the
   * domain. 64 by default.
   */
  readonly addressBits?: number
  /**
   * The device's open VFIO character device, where another program has opened it: it is bound to the domain's iommufd, or was before,
   * as `domain.givenDevice` says. It belongs to the device once that is open.
   */
  readonly fd?: number | GivenDevice
  /**
   * The secret, a UUID, that the users of an SR-IOV function's physical and virtual functions share. The user of the physical one
   * chooses it; that of a virtual one has to know it.
   */
  readonly vfToken?: string
}

/**
 * A PCI device that this program drives.
 *
 * No register can be reached before the device is in a domain. Bus mastering (DMA) and interrupts are off until the
 * caller switches them on. Closing stops the device's DMA, takes every window away, leaves the domain and gives the
 * device back to its old driver. A device that is forgotten without being closed is closed, with a warning, when it is
 * garbage-collected; a window, an array of its registers or a subscription that is still held keeps it.
 *
 * @see linux/vfio.h
 *
 * @example
 * ```ts
 * await using device = await Device.open('0000:00:02.0', { bind: true })
 * const bar0 = device.bar(0).map()
 * console.log(bar0.read32(0x0008).toString(16))
 * ```
 */
export class Device {
  /** PCI address, such as `0000:00:02.0`. */
  readonly address: string
  /** The device's interrupts, all off at first. */
  readonly interrupts: Interrupts
  /** The device's power states, and low power. */
  readonly power: Power
  /** Moving the device's inner state to another machine, where it can do that. */
  readonly migration: Migration
  /** Letting the device write down its own DMA, where it can do that. */
  readonly dmaLogging: DmaLogging
  readonly #core: DeviceCore
  readonly #owner: RegionOwner & FeatureOwner
  #config: ConfigSpace | undefined

  private constructor(core: DeviceCore) {
    this.address = core.address
    this.#core = core
    this.#owner = {
      address: this.address,
      get fd() {
        return core.fd
      },
      keeper: this,
      checkPresence: () => core.assertPresent(),
      windowOpened: (view) => core.viewOpened(view),
      windowClosed: (view) => core.viewClosed(view),
      beforeConfigWrite: (offset, bytes) => core.reach().guard.beforeWrite(offset, bytes),
      assertMemoryReachable: (region) => core.assertMemoryReachable(region),
    }
    this.interrupts = new Interrupts(core.interrupts, this)
    this.migration = new Migration(this.#owner)
    this.dmaLogging = new DmaLogging(this.#owner)
    const device = this
    this.power = new Power({
      address: this.address,
      get fd() {
        return core.fd
      },
      get config() {
        return device.config.access
      },
      keeper: this,
      lowPower: core.lowPower,
      quiesce: (reason) => core.quiesce(reason),
    })
    closeWhenForgotten(this, core)
  }

  /**
   * Opens a device and lets it join a domain.
   *
   * @throws {@link OpenbarError} `ERR_NO_DEVICE`; `ERR_NOT_BOUND` naming the driver that has it; `ERR_NO_IOMMU` with
   *   what to switch on; `ERR_GROUP_NOT_VIABLE` naming the culprits; `ERR_GROUP_BUSY` naming the holder;
   *   `ERR_DRIVER_BINDING`; `ERR_PERMISSION`; `ERR_NO_BACKEND`. A device that was bound is given back then.
   *
   * @example
   * ```ts
   * await using domain = await Domain.open()
   * await using device = await Device.open('0000:00:02.0', { domain, bind: true })
   * ```
   */
  static async open(address: PciAddressLike, options: DeviceOptions = {}): Promise<Device> {
    const name = PciAddress.from(address).toString()
    assertAddressBits(options.addressBits)
    assertVfToken(options.vfToken)
    return inTurn(name, () => Device.#open(name, options))
  }

  static async #open(address: string, options: DeviceOptions): Promise<Device> {
    const withoutIommu = options.domain?.backend === 'unsafe-noiommu'
    const binding = options.bind === true ? await takeDevice(address, withoutIommu) : undefined
    let ownDomain: Domain | undefined
    try {
      const { fd, vfToken } = options
      const find = () => ({ ...locateDevice(address), vfToken })
      const place = fd === undefined ? find() : { ...locateGiven(address, fd), vfToken }
      const again = fd === undefined ? find : () => place
      const core = new DeviceCore(place, again, binding, options.addressBits ?? 64)
      let { domain } = options
      if (domain === undefined) domain = ownDomain = await Domain.open()
      core.open(domain, ownDomain !== undefined)
      return new Device(core)
    } catch (error) {
      ownDomain?.close()
      if (binding === undefined) throw error
      return await giveBackAfter(error, binding)
    }
  }

  /**
   * Takes over the device that a `DeviceLauncher` has left to this process, with a domain of its own, which ends with the device. No
   * access to /dev/vfio, /dev/iommu or sysfs is needed, and no privilege. Closing it tells the launcher, which stops and resets it, and
   * it is closed when the launcher wants it back or ends.
   *
   * @throws {@link OpenbarError} `ERR_NO_DEVICE` when this process was left none, or has adopted it already; `ERR_NOT_SUPPORTED` when
   *   the launcher's version of this package speaks another language; `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * await using device = await Device.adopt()
   * const buffer = device.domain.allocate(4096)
   * ```
   */
  static async adopt(): Promise<Device> {
    return Device.#take(await inheritDevice())
  }

  /**
   * Receives a device from a running `DeviceLauncher`, by its `give`; otherwise as {@link Device.adopt}.
   *
   * @param from - A path, at which this process listens for the launcher, or a connection to it, which stays the caller's.
   * @throws {@link OpenbarError} `ERR_PERMISSION` when the launcher runs as another user than root, or than `options.from`; `ERR_TIMEOUT`
   *   or the signal's reason; `ERR_CLOSED` when it hands nothing over; `ERR_NOT_SUPPORTED`, `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * await using device = await Device.receive('/run/driver/device.sock', { timeout: 60_000 })
   * ```
   */
  static async receive(from: string | MessageSocket, options: ReceiveDeviceOptions): Promise<Device> {
    return Device.#take(await receiveDevice(from, options))
  }

  static async #take({ location, domain, addressBits, leash }: TakenOver): Promise<Device> {
    const core = new DeviceCore(location, () => location, undefined, addressBits)
    try {
      core.open(domain, true)
      leash.onPulled = () => {
        core.close('the launcher took it back, or ended').catch((error: unknown) => {
          process.emitWarning(`${core.address} could not be closed: ${error}`, { type: 'OpenbarWarning' })
        })
      }
      await leash.report({ adopted: true })
      return new Device(core)
    } catch (error) {
      await core.close()
      domain.close()
      throw error
    }
  }

  /** Number of the IOMMU group. */
  get group(): number {
    return this.#core.group
  }

  /** Path of the VFIO character device, where the kernel has them. */
  get cdev(): string | undefined {
    return this.#core.cdev
  }

  /**
   * The domain that the device is in.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get domain(): Domain {
    return this.#core.joined().attachment.domain
  }

  /**
   * The device's place in its domain: its file, its number in iommufd, and the page table that translates for it.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get attachment(): Attachment {
    return this.#core.reach().attachment
  }

  /**
   * The live config space. Switching memory decoding off, or leaving D0, takes every mapped window away; a function level
   * reset does what {@link Device.reset} does.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`; its accesses throw them too.
   */
  get config(): ConfigSpace {
    this.#core.reach()
    // Looks for the core by way of this object, so that whoever holds the config space holds the device.
    this.#config ??= new ConfigSpace(new ConfigAccess(() => this.#core.reach().config))
    return this.#config
  }

  /** Whether the device was closed. */
  get closed(): boolean {
    return this.#core.closed
  }

  /**
   * What the kernel says of the device.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get info(): DeviceInfo {
    return this.#core.reach().info
  }

  /**
   * Moves the device, and with it all devices of its group that are open, into a domain, out of the one that it is in. Does
   * nothing when it is in that domain already.
   *
   * Between domains on iommufd that share their context, as the domains of a process do by default, it is one step: the device
   * goes on working, and windows and interrupts stay. Otherwise it leaves first, as in {@link Device.unsetDomain}.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`, also for a closed domain; and what {@link Domain.attach} and
   *   {@link Domain.moveGroup} throw. The device is where it was then, or, if it is not let in there again, in no domain.
   *
   * @example
   * ```ts
   * device.setDomain(other)
   * ```
   */
  setDomain(domain: Domain): void {
    this.#core.setDomain(domain)
  }

  /**
   * Takes the device out of its domain: stops its DMA, switches interrupts off and takes every window away. Until the
   * next {@link Device.setDomain} none of its registers can be reached. Does nothing when it is in none.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL` when the kernel refuses a step; the others are taken all the same.
   *
   * @example
   * ```ts
   * device.unsetDomain()
   * device.bar(0) // throws ERR_NO_DOMAIN
   * ```
   */
  unsetDomain(): void {
    this.#core.unsetDomain()
  }

  /**
   * One of the base address registers' regions.
   *
   * @param index - 0 to 5.
   * @throws {@link OpenbarError} `ERR_REGION` when the device has no such BAR; `ERR_NO_DOMAIN`.
   *
   * @example
   * ```ts
   * const registers = device.bar(0).map()
   * ```
   */
  bar(index: number): Region {
    const isBar = Number.isInteger(index) && index >= 0 && index < VFIO_PCI_ROM_REGION_INDEX
    const region = isBar ? this.region(index) : undefined
    if (region !== undefined && region.size > 0) return region
    const present = [0, 1, 2, 3, 4, 5].filter((bar) => this.region(bar).size > 0)
    throw new OpenbarError('ERR_REGION', {
      message: `${this.address} has no BAR ${index}; it has ${present.length === 0 ? 'none' : present.join(', ')}.`,
      context: { address: this.address, region: `BAR ${index}` },
    })
  }

  /**
   * One of the device's regions, by the kernel's index: 0 to 5 the BARs, 6 the ROM, 7 config space. Its size is 0 when
   * the device does not have it.
   *
   * @throws {@link OpenbarError} `ERR_REGION` for an index beyond the last; `ERR_NO_DOMAIN`.
   *
   * @example
   * ```ts
   * device.region(6).size // the ROM's, in bytes
   * ```
   */
  region(index: number): Region {
    const { info } = this.#core.reach()
    if (!Number.isInteger(index) || index < 0 || index >= info.regions) {
      throw new OpenbarError('ERR_REGION', {
        message: `${this.address} has regions 0 to ${info.regions - 1}, and none with index ${index}.`,
        context: { address: this.address, region: String(index) },
      })
    }
    return new Region(regionName(index), this.#core.regionInfo(index), this.#owner)
  }

  /**
   * Resets the function by the best way that the kernel has for it. Interrupts are switched off, every window is taken away and DMA
   * is stopped before; afterwards the device is in D0, and its command register reads as it did: map again, and switch interrupts
   * on again.
   *
   * Devices differ in what a reset does to their registers; program each of them anew.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when there is no way to reset it, `ERR_DEVICE_BUSY` when the kernel has asked for it
   *   back, with nothing changed; `ERR_DEVICE_BUSY` when the kernel has it locked, `ERR_SYSCALL` when it fails to: the device is quiet then;
   *   `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * if (device.resetMethods.function) device.reset()
   * ```
   */
  reset(): void {
    resetFunction(this.#core)
  }

  /**
   * How the device can be reset.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   */
  get resetMethods(): ResetMethods {
    const { info, attachment } = this.#core.reach()
    return readResetMethods(attachment.fd, this.address, info.resettable)
  }

  /**
   * What {@link Device.hotReset} would reset, and whose that is. Changes nothing.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`; `ERR_SYSCALL`.
   *
   * @example
   * ```ts
   * for (const { address, owned } of device.hotResetInfo().devices) console.log(address, owned)
   * ```
   */
  hotResetInfo(): HotResetInfo {
    return readHotResetInfo(this.#core.fd, this.address)
  }

  /**
   * Resets the device's bus or slot, and with it every device there, all of which have to be this program's. Each that is open here
   * is made ready as {@link Device.reset} does it, whichever object drives it, and has its command register back afterwards.
   *
   * @returns What was reset.
   * @throws {@link OpenbarError} `ERR_RESET_SCOPE` naming the devices that are not this program's; `ERR_NOT_SUPPORTED` where no
   *   bus can be reset; `ERR_DEVICE_BUSY` when the kernel has asked for the device back; nothing is changed then. `ERR_DEVICE_BUSY` when
   *   the kernel has a device locked, `ERR_SYSCALL` when it fails to: the devices are quiet then.
   *   `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * if (device.hotResetInfo().possible) device.hotReset()
   * ```
   */
  hotReset(): HotResetInfo {
    return resetBus(this.#core)
  }

  /**
   * The features of VFIO that the device has, as the kernel answers when asked.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * device.features.lowPowerEntry.set
   * ```
   */
  get features(): Readonly<Record<FeatureName, FeatureSupport>> {
    return readFeatures(this.#core.fd, this.address)
  }

  /**
   * Has the kernel write a value to a register whenever an eventfd is signalled.
   *
   * @throws {@link OpenbarError} `ERR_REGION` when the kernel does not do that there, as in the MSI-X table, or has the same write
   *   already; `ERR_OUT_OF_BOUNDS`, `ERR_MISALIGNED`, `ERR_INVALID_ARGUMENT`; `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * using doorbell = device.ioeventfd({ region: 0, offset: 0x3818, width: 32, value: 0 })
   * ```
   */
  ioeventfd(options: IoEventOptions): IoEventFd {
    return new IoEventFd(this.#owner, options)
  }

  /**
   * Gives a part of a BAR out as a dma-buf, where the kernel does that (from Linux 6.19 on).
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` where it does not; `ERR_REGION`, `ERR_INVALID_ARGUMENT`; `ERR_NO_DOMAIN`,
   *   `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * using memory = device.exportDmaBuf({ region: 2 })
   * ```
   */
  exportDmaBuf(options: DmaBufOptions): DmaBuf {
    return new DmaBuf(this.#owner, options)
  }

  /**
   * Sets the secret by which those who open the device's virtual functions show that they and the device's user trust each other.
   *
   * @param uuid - Such as `crypto.randomUUID()` gives.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when the device has no virtual functions; `ERR_INVALID_ARGUMENT`;
   *   `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * device.setVfToken('2ab74924-c335-45f4-9b16-8569e5b08258')
   * ```
   */
  setVfToken(uuid: string): void {
    setVfToken(this.#core.fd, this.address, uuid)
  }

  /**
   * Calls back with what the kernel tells of the device: that it asks for it back, before an unplug or an unbind; or that an error
   * was reported. What came before anybody listened is told then. Listening does not keep the process alive.
   *
   * A program that answers neither has the device closed for it after ten seconds, as long as its event loop turns; one that is
   * busy without it calls {@link Device.poll}.
   *
   * @param onEnd - Called once, with the reason, after the device was closed while the subscription was open.
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   * @see linux/vfio.h, `VFIO_PCI_ERR_IRQ_INDEX`, `VFIO_PCI_REQ_IRQ_INDEX`
   *
   * @example
   * ```ts
   * using subscription = device.watch(({ type }) => {
   *   if (type === 'release-request') void device.close()
   * })
   * ```
   */
  watch(callback: (event: DeviceEvent) => void, onEnd: (reason: OpenbarError) => void = () => {}): Subscription {
    this.#core.assertOpen()
    return this.#core.events.subscribe(callback, onEnd, this)
  }

  /**
   * What the kernel tells of the device, as it comes; see {@link Device.watch}. Ends when the device is closed or the signal aborts.
   * Listens from the first event that is asked for.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * for await (const { type } of device.events()) {
   *   if (type === 'error') device.reset()
   *   else await device.close()
   * }
   * ```
   */
  events(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<DeviceEvent, void, void> {
    return iterateEvents((callback, onEnd) => this.watch(callback, onEnd), options.signal)
  }

  /**
   * Looks for what the kernel tells of the device, without the event loop: calls back those who {@link Device.watch}, and closes the
   * device when its time is over. For loops that poll the device and never wait; two system calls, so not for each round of
   * a fast one.
   *
   * @returns Whether the program may go on: `false` once the kernel has asked for the device back, or it is closed or in no domain.
   *
   * @example
   * ```ts
   * while (device.poll()) for (let round = 0; round < 1000; round += 1) receive()
   * await device.close()
   * ```
   */
  poll(): boolean {
    return this.#core.poll()
  }

  /**
   * Stops the device's DMA, takes every window away, leaves the domain, and gives the device back to the driver that
   * it was taken from. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_DRIVER_BINDING` when the old driver does not take it back, `ERR_TIMEOUT` when the
   *   kernel does not come back from that; it is closed then.
   *
   * @example
   * ```ts
   * await device.close()
   * ```
   */
  close(): Promise<void> {
    return this.#core.close()
  }

  /** @internal Closes it for a reason that the device's methods say from then on. */
  closeBecause(reason: string): Promise<void> {
    return this.#core.close(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function assertVfToken(token: string | undefined): void {
  if (token === undefined || /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(token)) return
  throw invalidArgument('vfToken', token, 'a UUID, such as that of crypto.randomUUID()')
}

function assertAddressBits(bits = 64): void {
  if (Number.isInteger(bits) && bits >= 12 && bits <= 64) return
  throw invalidArgument('addressBits', bits, 'a whole number from 12 to 64')
}

function regionName(index: number): string {
  if (index < VFIO_PCI_ROM_REGION_INDEX) return `BAR ${index}`
  return { 6: 'ROM', 7: 'config space', 8: 'VGA' }[index] ?? `region ${index}`
}
