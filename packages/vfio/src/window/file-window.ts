import { type Fd, OpenbarError, preadExactly, pwriteExactly } from '@openbar/linux'
import type { WindowOwner } from './mapped-window.ts'
import type { RegisterWindow } from './register-window.ts'
import type { Revocable } from './revocable.ts'
import { windowError } from './window-error.ts'

/**
 * A window over a region that cannot be mapped, such as an I/O port BAR or config space: each access is a read or a
 * write of the device's file, which the kernel turns into one access of the same width; 8 bytes of ports or config
 * space into two of 4.
 */
export class FileWindow implements RegisterWindow, Revocable {
  readonly mapped = false
  readonly size: number
  readonly #what: string
  readonly #fd: Fd<'device'>
  readonly #fileOffset: number
  readonly #owner: WindowOwner
  readonly #buffers = [1, 2, 4, 8].map((width) => new DataView(new ArrayBuffer(width)))
  #closed = false

  constructor(fd: Fd<'device'>, fileOffset: number, size: number, what: string, owner: WindowOwner) {
    this.size = size
    this.#what = what
    this.#fd = fd
    this.#fileOffset = fileOffset
    this.#owner = owner
  }

  get closed(): boolean {
    return this.#closed
  }

  get u32(): Uint32Array<ArrayBuffer> {
    throw new OpenbarError('ERR_REGION', {
      message: `${this.#what} cannot be mapped into memory, so it has no array.`,
      hint: 'Use read32 and write32.',
      context: { address: this.#what.split(', ')[0] ?? '', region: this.#what.split(', ')[1] ?? '' },
    })
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
    if (this.#closed) return
    this.#closed = true
    this.#owner.windowClosed(this)
  }

  revoke(): void {
    this.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #read(offset: number, log2Width: number): DataView {
    const buffer = this.#checked(offset, log2Width)
    preadExactly(this.#fd, buffer, this.#fileOffset + offset, this.#what)
    if (isAllOnes(buffer)) this.#owner.checkPresence()
    return buffer
  }

  #write(offset: number, buffer: DataView): void {
    this.#owner.beforeWrite?.(offset, buffer)
    pwriteExactly(this.#fd, buffer, this.#fileOffset + offset, this.#what)
  }

  #checked(offset: number, log2Width: number): DataView {
    const buffer = this.#buffers[log2Width]!
    const width = buffer.byteLength
    if (
      this.#closed ||
      !Number.isSafeInteger(offset) ||
      offset < 0 ||
      offset % width !== 0 ||
      offset + width > this.size
    ) {
      throw windowError(this.#what, this.#closed, offset, width, this.size)
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
