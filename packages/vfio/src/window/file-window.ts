import { type Fd, preadExactly, pwriteExactly } from '@openbar/linux'
import type { RegionInfo } from '../region/region-info.ts'
import { FileView } from './file-view.ts'
import type { RegisterWindow } from './register-window.ts'
import { oneWayOnly, placeName, windowError } from './window-error.ts'
import type { WindowOwner, WindowPlace } from './window-owner.ts'
import { WindowWithoutArrays } from './window-without-arrays.ts'

/** What of a region is needed to read and write it through the device's file. */
export type FileRegion = Pick<RegionInfo, 'size' | 'fileOffset' | 'readable' | 'writable'>

/**
 * A window over a region that cannot be mapped, such as an I/O port BAR, the ROM or config space: each access is a read or a
 * write of the device's file, which the kernel turns into one access of the same width; 8 bytes of ports or config
 * space into two of 4.
 */
export class FileWindow extends WindowWithoutArrays implements RegisterWindow {
  readonly size: number
  /** What the device keeps of it. */
  readonly view = new FileView()
  readonly #fd: Fd<'device'>
  readonly #region: FileRegion
  readonly #owner: WindowOwner
  readonly #buffers = [1, 2, 4, 8].map((width) => new DataView(new ArrayBuffer(width)))

  constructor(fd: Fd<'device'>, region: FileRegion, place: WindowPlace, owner: WindowOwner) {
    super(place)
    this.size = region.size
    this.#fd = fd
    this.#region = region
    this.#owner = owner
  }

  get closed(): boolean {
    return this.view.revoked
  }

  read8(offset: number): number {
    return this.#read(offset, 0).getUint8(0)
  }

  read16(offset: number): number {
    return this.#read(offset, 1).getUint16(0, true)
  }

  read32(offset: number): number {
    return this.#read(offset, 2).getUint32(0, true)
  }

  read64(offset: number): bigint {
    return this.#read(offset, 3).getBigUint64(0, true)
  }

  write8(offset: number, value: number): void {
    const buffer = this.#checked(offset, 0)
    buffer.setUint8(0, value)
    this.#write(offset, buffer)
  }

  write16(offset: number, value: number): void {
    const buffer = this.#checked(offset, 1)
    buffer.setUint16(0, value, true)
    this.#write(offset, buffer)
  }

  write32(offset: number, value: number): void {
    const buffer = this.#checked(offset, 2)
    buffer.setUint32(0, value, true)
    this.#write(offset, buffer)
  }

  write64(offset: number, value: bigint): void {
    const buffer = this.#checked(offset, 3)
    buffer.setBigUint64(0, value, true)
    this.#write(offset, buffer)
  }

  close(): void {
    if (this.closed) return
    this.view.revoke()
    this.#owner.windowClosed(this.view)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #read(offset: number, log2Width: number): DataView {
    const buffer = this.#checked(offset, log2Width)
    if (!this.#region.readable) throw oneWayOnly(this.place, 'written')
    try {
      preadExactly(this.#fd, buffer, this.#region.fileOffset + offset, placeName(this.place))
    } catch (error) {
      this.#owner.explainFailure?.()
      throw error
    }
    if (isAllOnes(buffer)) this.#owner.checkPresence()
    return buffer
  }

  #write(offset: number, buffer: DataView): void {
    if (!this.#region.writable) throw oneWayOnly(this.place, 'read')
    this.#owner.beforeWrite?.(offset, buffer)
    try {
      pwriteExactly(this.#fd, buffer, this.#region.fileOffset + offset, placeName(this.place))
    } catch (error) {
      this.#owner.explainFailure?.()
      throw error
    }
  }

  #checked(offset: number, log2Width: number): DataView {
    const buffer = this.#buffers[log2Width]!
    const width = buffer.byteLength
    const { closed } = this
    if (closed || !Number.isSafeInteger(offset) || offset < 0 || offset % width !== 0 || offset + width > this.size) {
      throw windowError(this.place, closed, offset, width, this.size)
    }
    return buffer
  }
}

function isAllOnes(buffer: DataView): boolean {
  for (let index = 0; index < buffer.byteLength; index += 1) {
    if (buffer.getUint8(index) !== 0xff) return false
  }
  return true
}
