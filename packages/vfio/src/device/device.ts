import { type Attachable, type Attachment, Domain } from '@openbar/iommu'
import {
  type Fd,
  invalidArgument,
  OpenbarError,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_ROM_REGION_INDEX,
} from '@openbar/linux'
import { type Binding, ConfigSpace, PciAddress, type PciAddressLike } from '@openbar/pci'
import { DmaBuf, type DmaBufOptions } from '../features/dma-buf.ts'
import { DmaLogging } from '../features/dma-logging.ts'
import type { FeatureOwner } from '../features/feature-owner.ts'
import { type FeatureName, type FeatureSupport, readFeatures } from '../features/feature-support.ts'
import type { IoEventOptions } from '../features/io-event.ts'
import { IoEventFd } from '../features/io-event-fd.ts'
import { Migration } from '../features/migration.ts'
import type { Revocable } from '../features/revocable.ts'
import { setVfToken } from '../features/vf-token.ts'
import { Interrupts } from '../interrupts/interrupts.ts'
import { LowPower } from '../power/low-power.ts'
import { Power } from '../power/power.ts'
import { Region, type RegionOwner } from '../region/region.ts'
import { type RegionInfo, readRegionInfo } from '../region/region-info.ts'
import { resetFunction } from '../reset/function-reset.ts'
import { resetBus } from '../reset/hot-reset.ts'
import { type HotResetInfo, readHotResetInfo } from '../reset/hot-reset-info.ts'
import { type ResetMethods, readResetMethods } from '../reset/reset-methods.ts'
import type { ResetOwner } from '../reset/reset-owner.ts'
import { FileWindow } from '../window/file-window.ts'
import type { RegisterWindow } from '../window/register-window.ts'
import { ConfigAccess } from './config-access.ts'
import { ConfigGuard } from './config-guard.ts'
import { giveBackAfter, takeDevice } from './device-binding.ts'
import { type DeviceInfo, readDeviceInfo } from './device-info.ts'
import { inTurn } from './in-turn.ts'
import { locateDevice } from './locate-device.ts'
import { noteOpenDevice } from './open-devices.ts'

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
}

/** What there is while a device is in a domain. */
interface Access {
  readonly attachment: Attachment
  readonly info: DeviceInfo
  readonly config: FileWindow
  readonly guard: ConfigGuard
}

const COMMAND = 0x04
const NOTHING_ANSWERS = 0xffff
const CLASS_AND_REVISION = 0x08
const ALL_ONES = 0xffff_ffff

/**
 * A PCI device that this program drives.
 *
 * No register can be reached before the device is in a domain. Bus mastering (DMA) and interrupts are off until the
 * caller switches them on. Closing stops the device's DMA, takes every window away, leaves the domain and gives the
 * device back to its old driver.
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
export class Device implements Pick<Attachable, 'address' | 'group' | 'cdev'> {
  /** PCI address, such as `0000:00:02.0`. */
  readonly address: string
  /** Number of the IOMMU group. */
  readonly group: number
  /** Path of the VFIO character device, where the kernel has them. */
  readonly cdev: string | undefined
  /** The device's interrupts, all off at first. */
  readonly interrupts: Interrupts
  /** The device's power states, and low power. */
  readonly power: Power
  /** Moving the device's inner state to another machine, where it can do that. */
  readonly migration: Migration
  /** Letting the device write down its own DMA, where it can do that. */
  readonly dmaLogging: DmaLogging
  readonly #binding: Binding | undefined
  readonly #windows = new Set<RegisterWindow>()
  /** What goes with the windows, and is none. */
  readonly #views = new Set<Revocable>()
  readonly #lowPower: LowPower
  readonly #features: FeatureOwner
  readonly #regions = new Map<number, RegionInfo>()
  readonly #owner: RegionOwner
  /** The domain's side of the device. */
  readonly #place: Attachable
  #config: ConfigSpace | undefined
  #ownDomain: Domain | undefined
  #access: Access | undefined
  #closing: Promise<void> | undefined
  #closed = false
  #leaveList: () => void = () => {}

  private constructor(location: Attachable, binding: Binding | undefined, addressBits: number) {
    this.address = location.address
    this.group = location.group
    this.cdev = location.cdev
    this.#place = {
      ...location,
      addressBits,
      leaving: () => this.#letGo().dispose(),
      arrived: (attachment) => this.#arrive(attachment),
    }
    this.#binding = binding
    const device = this
    this.#owner = {
      address: this.address,
      get fd() {
        return device.#reach().attachment.fd
      },
      checkPresence: () => this.#assertPresent(),
      windowOpened: (window) => this.#windows.add(window),
      windowClosed: (window) => this.#windows.delete(window),
      beforeConfigWrite: (offset, bytes) => this.#reach().guard.beforeWrite(offset, bytes),
      assertMemoryReachable: (what) => this.#assertMemoryReachable(what),
    }
    this.interrupts = new Interrupts({
      address: this.address,
      get fd() {
        return device.#reach().attachment.fd
      },
      silentBecause: () => this.#silentBecause(),
    })
    this.#lowPower = new LowPower(this.address)
    this.power = new Power({
      address: this.address,
      get fd() {
        return device.#reach().attachment.fd
      },
      get config() {
        return device.config.access
      },
      keeper: this,
      lowPower: this.#lowPower,
      quiesce: (reason) => this.#quiesce(reason).dispose(),
    })
    this.#features = {
      address: this.address,
      get fd() {
        return device.#reach().attachment.fd
      },
      keeper: this,
      windowOpened: (view) => this.#views.add(view),
      windowClosed: (view) => this.#views.delete(view),
    }
    this.migration = new Migration(this.#features)
    this.dmaLogging = new DmaLogging(this.#features)
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
    return inTurn(name, () => Device.#open(name, options))
  }

  static async #open(address: string, options: DeviceOptions): Promise<Device> {
    const withoutIommu = options.domain?.backend === 'unsafe-noiommu'
    const binding = options.bind === true ? await takeDevice(address, withoutIommu) : undefined
    let ownDomain: Domain | undefined
    try {
      const device = new Device(locateDevice(address), binding, options.addressBits ?? 64)
      let { domain } = options
      if (domain === undefined) domain = ownDomain = await Domain.open()
      device.#join(domain)
      device.#ownDomain = ownDomain
      return device
    } catch (error) {
      ownDomain?.close()
      if (binding === undefined) throw error
      return await giveBackAfter(error, binding)
    }
  }

  /**
   * The domain that the device is in.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get domain(): Domain {
    return this.#joined().attachment.domain
  }

  /**
   * The device's place in its domain: its file, its number in iommufd, and the page table that translates for it.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get attachment(): Attachment {
    return this.#reach().attachment
  }

  /**
   * The live config space. Switching memory decoding off, or leaving D0, takes every mapped window away; a function level
   * reset does what {@link Device.reset} does.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`; its accesses throw them too.
   */
  get config(): ConfigSpace {
    this.#reach()
    this.#config ??= new ConfigSpace(new ConfigAccess(() => this.#reach().config))
    return this.#config
  }

  /** Whether the device was closed. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * What the kernel says of the device.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get info(): DeviceInfo {
    return this.#reach().info
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
    this.#assertOpen()
    const access = this.#access
    if (access === undefined) {
      this.#join(domain)
      return
    }
    if (domain === access.attachment.domain) return
    const ownDomain = this.#ownDomain
    try {
      access.attachment.domain.moveGroup(this.group, domain)
    } finally {
      // Left, whether it has arrived elsewhere or not.
      if (this.#access?.attachment.domain !== ownDomain) {
        this.#ownDomain = undefined
        ownDomain?.close()
      }
    }
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
    const access = this.#access
    const ownDomain = this.#ownDomain
    // A neighbour of its group may have failed to move it, and left the private domain without devices.
    if (access === undefined && ownDomain === undefined) return
    using steps = new DisposableStack()
    steps.adopt(ownDomain, (domain) => domain?.close())
    steps.defer(() => {
      this.#ownDomain = undefined
    })
    steps.defer(() => access?.attachment.detach())
    steps.use(this.#letGo())
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
    const { info, attachment } = this.#reach()
    if (!Number.isInteger(index) || index < 0 || index >= info.regions) {
      throw new OpenbarError('ERR_REGION', {
        message: `${this.address} has regions 0 to ${info.regions - 1}, and none with index ${index}.`,
        context: { address: this.address, region: String(index) },
      })
    }
    let region = this.#regions.get(index)
    if (region === undefined) {
      region = readRegionInfo(attachment.fd, index, this.address)
      this.#regions.set(index, region)
    }
    return new Region(regionName(index), region, this.#owner)
  }

  /**
   * Resets the function by the best way that the kernel has for it. Interrupts are switched off, every window is taken away and DMA
   * is stopped before; afterwards the device is in D0, and its command register reads as it did: map again, and switch interrupts
   * on again.
   *
   * Devices differ in what a reset does to their registers; program each of them anew.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when there is no way to reset it, with nothing changed; `ERR_SYSCALL` when the
   *   kernel fails to: the device is quiet then; `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * if (device.resetMethods.function) device.reset()
   * ```
   */
  reset(): void {
    resetFunction(this.#resetOwner())
  }

  /**
   * How the device can be reset.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   */
  get resetMethods(): ResetMethods {
    const { info, attachment } = this.#reach()
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
    return readHotResetInfo(this.#reach().attachment.fd, this.address)
  }

  /**
   * Resets the device's bus or slot, and with it every device there, all of which have to be this program's. Each that is open here
   * is made ready as {@link Device.reset} does it, whichever object drives it, and has its command register back afterwards.
   *
   * @returns What was reset.
   * @throws {@link OpenbarError} `ERR_RESET_SCOPE` naming the devices that are not this program's; `ERR_NOT_SUPPORTED` where no
   *   bus can be reset; nothing is changed then. `ERR_SYSCALL` when the kernel fails to: the devices are quiet then.
   *   `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * if (device.hotResetInfo().possible) device.hotReset()
   * ```
   */
  hotReset(): HotResetInfo {
    return resetBus(this.#resetOwner())
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
    return readFeatures(this.#reach().attachment.fd, this.address)
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
    return new IoEventFd(this.#features, options)
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
    return new DmaBuf(this.#features, options)
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
    setVfToken(this.#reach().attachment.fd, this.address, uuid)
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
    this.#closing ??= this.#closeOnce()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #closeOnce(): Promise<void> {
    try {
      this.unsetDomain()
    } finally {
      this.#closed = true
      const binding = this.#binding
      if (binding !== undefined) await inTurn(this.address, () => binding.restore())
    }
  }

  #join(domain: Domain): void {
    this.#arrive(domain.attach(this.#place))
  }

  #arrive(attachment: Attachment): void {
    try {
      const info = readDeviceInfo(attachment.fd, this.address)
      const config = this.#openConfig(attachment.fd)
      const guard = new ConfigGuard(config, {
        beforeMemoryGoes: () => this.#revokeWindows('mapped'),
        // The kernel stops DMA, and puts the command register back, by itself.
        beforeReset: () => this.#quiesce('it was reset', false).dispose(),
      })
      this.#access = { attachment, info, config, guard }
      this.#leaveList = noteOpenDevice(this.address, { beforeReset: (reason) => this.#beforeReset(reason) })
    } catch (error) {
      attachment.detach()
      throw error
    }
  }

  /** The steps to let go of the device, but for its place in the domain; taken when the stack is disposed of. */
  #letGo(): DisposableStack {
    // From the last to the first, and each whatever becomes of the others: a step left out would leave the device's DMA
    // on, or a window onto a device that is no longer ours.
    const steps = new DisposableStack()
    const access = this.#access
    if (access === undefined) return steps
    steps.defer(() => {
      this.#access = undefined
      this.#leaveList()
    })
    steps.defer(() => access.config.close())
    steps.use(this.#quiesce())
    steps.defer(() => this.#lowPower.leave())
    return steps
  }

  #openConfig(fd: Fd<'device'>): FileWindow {
    const { fileOffset, size } = readRegionInfo(fd, VFIO_PCI_CONFIG_REGION_INDEX, this.address)
    // Reads of all ones are ordinary in config space, and the presence check itself reads it.
    const owner = {
      checkPresence: () => {},
      windowClosed: () => {},
      beforeWrite: this.#owner.beforeConfigWrite,
    }
    return new FileWindow(fd, fileOffset, size, `${this.address}, config space`, owner)
  }

  /** The steps to make the device quiet: views, then interrupts, then DMA; taken when the stack is disposed of. */
  #quiesce(reason?: string, stopDma = true): DisposableStack {
    const steps = new DisposableStack()
    const access = this.#access
    if (access === undefined) return steps
    steps.defer(() => {
      // A device that is gone has no DMA to stop.
      if (stopDma && isPresent(access)) this.config.command.busMasterEnable = false
    })
    steps.defer(() => this.interrupts.end(reason))
    steps.defer(() => this.#revokeWindows())
    return steps
  }

  #beforeReset(reason: string): () => void {
    this.#lowPower.leave()
    const { config } = this.#reach()
    const command = config.read16(COMMAND)
    this.#quiesce(reason).dispose()
    return () => {
      // A device that did not answer before has no command register worth putting back.
      if (command !== NOTHING_ANSWERS && config.read16(COMMAND) !== command) config.write16(COMMAND, command)
    }
  }

  #resetOwner(): ResetOwner {
    const { attachment, info } = this.#reach()
    return {
      address: this.address,
      fd: attachment.fd,
      resettable: info.resettable,
      beforeReset: (reason) => this.#beforeReset(reason),
    }
  }

  #revokeWindows(which: 'mapped' | 'all' = 'all'): void {
    using steps = new DisposableStack()
    for (const window of this.#windows) {
      if (which === 'all' || window.mapped) steps.use(window)
    }
    for (const view of this.#views) {
      if (which === 'mapped' && !view.mapped) continue
      steps.defer(() => view.revoke())
      this.#views.delete(view)
    }
  }

  #assertMemoryReachable(what: string): void {
    const problem = this.#reach().guard.memoryProblem
    if (problem === undefined) return
    throw new OpenbarError('ERR_REGION', {
      message: `${what} cannot be reached: ${problem}.`,
      hint: 'Switch decoding on (device.config.command.memorySpaceEnable = true), or bring the device back to D0 (write 0 to the power state in its power management capability).',
      context: { address: this.address, region: what.slice(this.address.length + 2) },
    })
  }

  /** A message-signalled interrupt is a write to memory, which needs bus mastering (PCI Local Bus 3.0, 6.8). */
  #silentBecause(): string | undefined {
    if (this.#access === undefined || this.config.command.busMasterEnable) return undefined
    return 'Bus mastering is off, so the device cannot send its message: device.config.command.busMasterEnable = true.'
  }

  #assertPresent(): void {
    const access = this.#access
    if (access === undefined || isPresent(access)) return
    throw new OpenbarError('ERR_DEVICE_GONE', {
      message: `${this.address} no longer answers: its registers read all ones.`,
      hint: 'It was removed, or it is in a state that only a reset or a power cycle ends. Close it.',
      context: { address: this.address },
    })
  }

  /** What there is of the device while it can be touched. */
  #reach(): Access {
    const access = this.#joined()
    this.#lowPower.assertAwake()
    return access
  }

  #joined(): Access {
    this.#assertOpen()
    if (this.#access !== undefined) return this.#access
    throw new OpenbarError('ERR_NO_DOMAIN', {
      message: `${this.address} is in no domain, so it cannot be reached.`,
      hint: 'Set one first: device.setDomain(domain).',
      context: { address: this.address },
    })
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new OpenbarError('ERR_CLOSED', {
      message: `${this.address} was closed.`,
      hint: 'Open it again: Device.open(address).',
      context: { what: this.address },
    })
  }
}

function assertAddressBits(bits = 64): void {
  if (Number.isInteger(bits) && bits >= 12 && bits <= 64) return
  throw invalidArgument('addressBits', bits, 'a whole number from 12 to 64')
}

function isPresent(access: Access): boolean {
  try {
    // The kernel answers vendor and device id from memory of its own; class and revision come from the device.
    return access.config.read32(CLASS_AND_REVISION) !== ALL_ONES
  } catch {
    return false
  }
}

function regionName(index: number): string {
  if (index < VFIO_PCI_ROM_REGION_INDEX) return `BAR ${index}`
  return { 6: 'ROM', 7: 'config space', 8: 'VGA' }[index] ?? `region ${index}`
}
