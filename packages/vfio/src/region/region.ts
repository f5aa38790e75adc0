import { type Fd, MappedMemory, OpenbarError, PAGE_SIZE, VFIO_PCI_CONFIG_REGION_INDEX } from '@openbar/linux'
import { FileWindow } from '../window/file-window.ts'
import { MappedWindow, type WindowOwner } from '../window/mapped-window.ts'
import type { RegisterWindow } from '../window/register-window.ts'
import type { Revocable } from '../window/revocable.ts'
import type { MappableArea, RegionInfo } from './region-info.ts'

/** The device's side of a region: where windows are registered, so that they can be taken away. */
export interface RegionOwner extends WindowOwner {
  readonly address: string
  readonly fd: Fd<'device'>
  /** Kept alive by what users hold. */
  readonly keeper: object
  windowOpened(window: Revocable): void
  /** Called before config space is written through a window onto it. */
  beforeConfigWrite(offset: number, bytes: DataView): void
  /** Throws `ERR_REGION` while touching the device's memory would end the process. */
  assertMemoryReachable(region: string): void
}

/**
 * One of a device's regions: a BAR, the ROM, config space.
 *
 * @see PCI Local Bus 3.0, 6.2.5 (base addresses); linux/vfio.h, `struct vfio_region_info`
 *
 * @example
 * ```ts
 * const region = device.bar(0)
 * console.log(region.size, region.mappableAreas)
 * const registers = region.map()
 * ```
 */
export class Region {
  /** The region's name, such as `BAR 0`. */
  readonly name: string
  readonly #info: RegionInfo
  readonly #owner: RegionOwner

  /** @internal Regions come from `device.bar` and `device.region`. */
  constructor(name: string, info: RegionInfo, owner: RegionOwner) {
    this.name = name
    this.#info = info
    this.#owner = owner
  }

  /** Index as the kernel counts: 0 to 5 the BARs, 6 the ROM, 7 config space. */
  get index(): number {
    return this.#info.index
  }

  /** Bytes. */
  get size(): number {
    return this.#info.size
  }

  /** Whether it can be read. */
  get readable(): boolean {
    return this.#info.readable
  }

  /** Whether it can be written. */
  get writable(): boolean {
    return this.#info.writable
  }

  /** What of it can be mapped; empty when it can only be read and written. */
  get mappableAreas(): readonly MappableArea[] {
    return this.#info.mappableAreas
  }

  /**
   * Opens a window onto the region: mapped where the whole region can be, else by reading and writing.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN` when the device has none; `ERR_REGION` for memory while its decoding is
   *   switched off or the device is not in D0; `ERR_CLOSED`; `ERR_SYSCALL` when the kernel refuses.
   *
   * @example
   * ```ts
   * using bar0 = device.bar(0).map()
   * bar0.read32(0x0008)
   * ```
   */
  map(): RegisterWindow {
    const { fd } = this.#owner
    const what = `${this.#owner.address}, ${this.name}`
    const window = this.#mappableAsWhole()
      ? new MappedWindow(this.#mapMemory(fd, what), this.size, what, this.#owner)
      : new FileWindow(fd, this.#info.fileOffset, this.size, what, this.#fileOwner())
    this.#owner.windowOpened(window)
    return window
  }

  #mappableAsWhole(): boolean {
    const { readable, writable, mappableAreas } = this.#info
    const [area, ...more] = mappableAreas
    // JavaScript has no read-only arrays: a write to a page without that right would end the process.
    if (!readable || !writable) return false
    return area !== undefined && more.length === 0 && area.offset === 0 && area.size === this.size
  }

  #fileOwner(): WindowOwner {
    const owner = this.#owner
    if (this.index !== VFIO_PCI_CONFIG_REGION_INDEX) return owner
    return {
      // Reads of all ones are ordinary in config space.
      checkPresence: () => {},
      windowClosed: (window) => owner.windowClosed(window),
      beforeWrite: (offset, bytes) => owner.beforeConfigWrite(offset, bytes),
    }
  }

  #mapMemory(fd: Fd<'device'>, what: string): MappedMemory {
    this.#owner.assertMemoryReachable(this.name)
    if (this.size > 0xffff_ffff) {
      throw new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `${what} has ${this.size} bytes; a window reaches 4 GiB.`,
        context: { what },
      })
    }
    return MappedMemory.fromFd(fd, {
      offset: this.#info.fileOffset,
      size: Math.ceil(this.size / PAGE_SIZE) * PAGE_SIZE,
      readable: true,
      writable: true,
      what,
    })
  }
}
