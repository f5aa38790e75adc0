import { type Fd, MappedMemory, OpenbarError, PAGE_SIZE, VFIO_PCI_CONFIG_REGION_INDEX } from '@openbar/linux'
import { FileWindow } from '../window/file-window.ts'
import { MappedWindow } from '../window/mapped-window.ts'
import type { RegisterWindow } from '../window/register-window.ts'
import type { Revocable } from '../window/revocable.ts'
import { type SparsePart, SparseWindow } from '../window/sparse-window.ts'
import { placeName } from '../window/window-error.ts'
import type { WindowOwner, WindowPlace } from '../window/window-owner.ts'
import { mappableParts } from './mappable-parts.ts'
import { readMsixHoles } from './msix-holes.ts'
import type { MappableArea, RegionInfo } from './region-info.ts'

/** The device's side of a region: where windows are registered, so that they can be taken away. */
export interface RegionOwner {
  readonly address: string
  /** Throws `ERR_NO_DOMAIN` and `ERR_CLOSED`. */
  readonly fd: Fd<'device'>
  /** Must not be collected while anybody holds a window or one of its arrays. */
  readonly keeper: object
  /** A read returned all ones, which is what a device that is gone answers. Throws when it is. */
  checkPresence(): void
  windowOpened(view: Revocable): void
  windowClosed(view: Revocable): void
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

  /** What of it the kernel lets be mapped; empty when it can only be read and written. */
  get mappableAreas(): readonly MappableArea[] {
    return this.#info.mappableAreas
  }

  /** All that the kernel says of it, its chain of capabilities included. */
  get info(): RegionInfo {
    return this.#info
  }

  /**
   * Opens a window onto the region: mapped where it can be, else by reading and writing. A region of which parts can be mapped is
   * one window too: accesses to those parts go to the device's memory, and all others are system calls.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN` when the device has none; `ERR_REGION` when it does not have the region, and for
   *   memory while its decoding is switched off or the device is not in D0; `ERR_CLOSED`; `ERR_SYSCALL` when the kernel refuses.
   *
   * @example
   * ```ts
   * using bar0 = device.bar(0).map()
   * bar0.read32(0x0008)
   * ```
   */
  map(): RegisterWindow {
    const { fd } = this.#owner
    this.#assertThere()
    const window = this.#open(fd, this.#parts(fd))
    this.#owner.windowOpened(window.view)
    return window
  }

  #assertThere(): void {
    if (this.size > 0) return
    throw new OpenbarError('ERR_REGION', {
      message: `${this.#owner.address} has no ${this.name}.`,
      context: { ...this.#place },
    })
  }

  /** What of it to map. */
  #parts(fd: Fd<'device'>): readonly MappableArea[] {
    const { readable, writable, mappableAreas, msixMappable, index } = this.#info
    // JavaScript has no read-only arrays: a write to a page without that right would end the process.
    if (!readable || !writable || mappableAreas.length === 0) return []
    const holes = msixMappable ? [] : readMsixHoles(fd, index, this.#owner.address)
    return mappableParts(this.size, mappableAreas, holes)
  }

  #open(fd: Fd<'device'>, parts: readonly MappableArea[]): FileWindow | MappedWindow | SparseWindow {
    const [first, ...more] = parts
    if (first === undefined) return this.#file(fd)
    this.#assertMappable()
    using mapped = new DisposableStack()
    const memories = parts.map((part): SparsePart => {
      const memory = mapped.adopt(this.#mapMemory(fd, part), (each) => each.revoke())
      return { ...part, memory }
    })
    const window =
      more.length === 0 && first.size === this.size
        ? new MappedWindow(memories[0]!.memory, this.size, this.#place, this.#owner)
        : new SparseWindow(memories, this.#file(fd), this.#place, this.#owner)
    mapped.move()
    return window
  }

  #file(fd: Fd<'device'>): FileWindow {
    return new FileWindow(fd, this.#info, this.#place, this.#fileOwner())
  }

  #fileOwner(): WindowOwner {
    const owner = this.#owner
    const { keeper } = owner
    const windowClosed = (view: Revocable) => owner.windowClosed(view)
    if (this.index !== VFIO_PCI_CONFIG_REGION_INDEX) {
      const explainFailure = () => owner.assertMemoryReachable(this.name)
      return { keeper, windowClosed, checkPresence: () => owner.checkPresence(), explainFailure }
    }
    return {
      keeper,
      windowClosed,
      // Reads of all ones are ordinary in config space.
      checkPresence: () => {},
      beforeWrite: (offset, bytes) => owner.beforeConfigWrite(offset, bytes),
    }
  }

  #assertMappable(): void {
    this.#owner.assertMemoryReachable(this.name)
    if (this.size <= 0xffff_ffff) return
    const what = placeName(this.#place)
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${what} has ${this.size} bytes; a window reaches 4 GiB.`,
      context: { what },
    })
  }

  #mapMemory(fd: Fd<'device'>, { offset, size }: MappableArea): MappedMemory {
    return MappedMemory.fromFd(fd, {
      offset: this.#info.fileOffset + offset,
      size: Math.ceil(size / PAGE_SIZE) * PAGE_SIZE,
      readable: true,
      writable: true,
      what: placeName(this.#place),
    })
  }

  get #place(): WindowPlace {
    return { address: this.#owner.address, region: this.name }
  }
}
