import { type Attachable, type Attachment, Domain, isVfioDriver } from '@openbar/iommu'
import {
  type Fd,
  isOpenbarError,
  OpenbarError,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_RESET,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_ROM_REGION_INDEX,
} from '@openbar/linux'
import { type Binding, bindDriver, ConfigSpace, PciAddress, type PciAddressLike, readFunction } from '@openbar/pci'
import { Interrupts } from '../interrupts/interrupts.ts'
import { Region, type RegionOwner } from '../region/region.ts'
import { type RegionInfo, readRegionInfo } from '../region/region-info.ts'
import { FileWindow } from '../window/file-window.ts'
import type { RegisterWindow } from '../window/register-window.ts'
import { ConfigAccess } from './config-access.ts'
import { type DeviceInfo, readDeviceInfo } from './device-info.ts'
import { locateDevice } from './locate-device.ts'
import { iommuPresent, noIommuError } from './no-iommu-error.ts'

/** How to open a device. */
export interface DeviceOptions {
  /** The domain that the device joins. A private one is opened when left out, and closed with the device. */
  readonly domain?: Domain
  /**
   * Takes the device from the driver that it is bound to and binds it to vfio-pci; closing the device gives it back.
   * `false` by default: the device must be bound to vfio-pci already.
   */
  readonly bind?: boolean
}

/** What there is while a device is in a domain. */
interface Access {
  readonly domain: Domain
  readonly attachment: Attachment
  readonly info: DeviceInfo
  readonly config: FileWindow
}

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
export class Device implements Attachable {
  /** PCI address, such as `0000:00:02.0`. */
  readonly address: string
  /** Number of the IOMMU group. */
  readonly group: number
  /** Path of the VFIO character device, where the kernel has them. */
  readonly cdev: string | undefined
  /** The device's interrupts, all off at first. */
  readonly interrupts: Interrupts
  readonly #binding: Binding | undefined
  readonly #windows = new Set<RegisterWindow>()
  readonly #regions = new Map<number, RegionInfo>()
  readonly #owner: RegionOwner
  #config: ConfigSpace | undefined
  #ownDomain: Domain | undefined
  #access: Access | undefined
  #closing: Promise<void> | undefined
  #closed = false

  private constructor(location: Attachable, binding: Binding | undefined) {
    this.address = location.address
    this.group = location.group
    this.cdev = location.cdev
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
    }
    this.interrupts = new Interrupts(this.#owner)
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
    const binding = options.bind === true ? await takeDevice(address) : undefined
    let ownDomain: Domain | undefined
    try {
      const device = new Device(locateDevice(address), binding)
      ownDomain = options.domain === undefined ? await Domain.open() : undefined
      device.#join(options.domain ?? (ownDomain as Domain))
      device.#ownDomain = ownDomain
      return device
    } catch (error) {
      ownDomain?.close()
      await binding?.restore()
      throw error
    }
  }

  /**
   * The domain that the device is in.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get domain(): Domain {
    return this.#reach().domain
  }

  /**
   * The live config space. Switching memory decoding off, or leaving D0, takes every mapped window away.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`; its accesses throw them too.
   */
  get config(): ConfigSpace {
    this.#reach()
    this.#config ??= new ConfigSpace(
      new ConfigAccess({ configWindow: () => this.#reach().config, revokeWindows: () => this.#revokeWindows() }),
    )
    return this.#config
  }

  /** Whether the device was closed. */
  get closed(): boolean {
    return this.#closed
  }

  /** What the kernel says of the device. */
  get info(): DeviceInfo {
    return this.#reach().info
  }

  /**
   * Moves the device into a domain, out of the one that it is in. Windows are taken away and interrupts switched off.
   *
   * @throws {@link OpenbarError} as {@link Device.open}; the device is in no domain then.
   *
   * @example
   * ```ts
   * device.setDomain(other)
   * ```
   */
  setDomain(domain: Domain): void {
    this.#assertOpen()
    this.unsetDomain()
    this.#join(domain)
  }

  /**
   * Takes the device out of its domain: stops its DMA, switches interrupts off and takes every window away. Until the
   * next {@link Device.setDomain} none of its registers can be reached. Does nothing when it is in none.
   */
  unsetDomain(): void {
    const access = this.#access
    if (access === undefined) return
    try {
      this.#quiesce(access)
    } finally {
      this.#access = undefined
      access.attachment.detach()
      this.#ownDomain?.close()
      this.#ownDomain = undefined
    }
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
   * Resets the function by the best way that the kernel has for it. Interrupts are switched off and every window is
   * taken away before: map again afterwards.
   *
   * Devices differ in what a reset does to their registers; program each of them anew.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when there is no way to reset it.
   *
   * @example
   * ```ts
   * if (device.info.resettable) device.reset()
   * ```
   */
  reset(): void {
    const { info, attachment } = this.#reach()
    if (!info.resettable) {
      throw new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `${this.address} cannot be reset: the kernel knows no way for this function alone.`,
        hint: "Use the device's own reset bit, or reset the bus that it is on.",
        context: { what: 'function reset' },
      })
    }
    this.interrupts.disable()
    this.#revokeWindows()
    const result = tryIoctl(attachment.fd, VFIO_DEVICE_RESET)
    if (result < 0) throw syscallError('ioctl(VFIO_DEVICE_RESET)', -result, this.address)
  }

  /**
   * Stops the device's DMA, takes every window away, leaves the domain, and gives the device back to the driver that
   * it was taken from. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_DRIVER_BINDING` when the old driver does not take it back; it is closed then.
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
      await this.#binding?.restore()
    }
  }

  #join(domain: Domain): void {
    const attachment = domain.attach(this)
    try {
      const info = readDeviceInfo(attachment.fd, this.address)
      this.#access = { domain, attachment, info, config: this.#openConfig(attachment.fd) }
    } catch (error) {
      attachment.detach()
      throw error
    }
  }

  #openConfig(fd: Fd<'device'>): FileWindow {
    const { fileOffset, size } = readRegionInfo(fd, VFIO_PCI_CONFIG_REGION_INDEX, this.address)
    // Reads of all ones are ordinary in config space, and the presence check itself reads it.
    const owner = { checkPresence: () => {}, windowClosed: () => {} }
    return new FileWindow(fd, fileOffset, size, `${this.address}, config space`, owner)
  }

  #quiesce(access: Access): void {
    this.interrupts.disable()
    // A device that is gone has nothing to stop, and must not keep the rest from being let go.
    if (isPresent(access)) this.config.command.busMasterEnable = false
    this.#revokeWindows()
    access.config.close()
  }

  #revokeWindows(): void {
    for (const window of [...this.#windows]) window.close()
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

  #reach(): Access {
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

async function takeDevice(address: PciAddressLike): Promise<Binding | undefined> {
  const { driver, iommuGroup } = readFunction(address)
  if (driver !== undefined && isVfioDriver(driver)) return undefined
  if (iommuGroup === undefined && !iommuPresent()) throw noIommuError(PciAddress.from(address).toString())
  try {
    return await bindDriver(address, 'vfio-pci')
  } catch (error) {
    // vfio-pci refuses a device without a group; behind some IOMMUs the group comes only with the driver.
    const refused = isOpenbarError(error, 'ERR_DRIVER_BINDING') && error.context.step === 'probe'
    if (refused && iommuGroup === undefined) throw noIommuError(PciAddress.from(address).toString(), error)
    throw error
  }
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
