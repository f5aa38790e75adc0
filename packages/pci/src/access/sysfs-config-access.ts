import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { Errno, errnoOf, OpenbarError } from '@openbar/linux/errors'
import { fileError } from '@openbar/linux/sysfs'
import { PciAddress, type PciAddressLike } from '../address/pci-address.ts'
import { noDeviceError } from '../sysfs/no-device-error.ts'
import type { SysfsOptions } from '../sysfs/sysfs-options.ts'
import { devicePath } from '../sysfs/sysfs-path.ts'
import { accessError } from './access-error.ts'
import type { RegisterAccess } from './register-access.ts'

/** How {@link SysfsConfigAccess.open} opens a config space. */
export interface SysfsConfigOptions extends SysfsOptions {
  /** Whether it can be written, which needs root; `false` when absent. */
  readonly writable?: boolean | undefined
}

/**
 * A function's config space through the sysfs file `config`, whatever driver the function is bound to.
 *
 * Without `CAP_SYS_ADMIN` the kernel shows the first 64 bytes only (128 of a CardBus bridge), which hides the
 * capabilities. A 64-bit access is two of 32 bits, as config space has no wider ones (PCI Express Base 5.0 §7.2.1).
 *
 * @example
 * ```ts
 * using access = SysfsConfigAccess.open('0000:03:00.0')
 * console.log(new ConfigSpace(access).status.capabilitiesList)
 * ```
 */
export class SysfsConfigAccess implements RegisterAccess, Disposable {
  /** Bytes of the config space: 256, or 4096 for PCI Express. */
  readonly size: number
  readonly address: PciAddress
  readonly #path: string
  readonly #buffer = Buffer.alloc(8)
  #fd: number | undefined

  private constructor(address: PciAddress, path: string, fd: number) {
    this.address = address
    this.#path = path
    this.#fd = fd
    this.size = fstatSync(fd).size
  }

  /**
   * Opens the config space of a function.
   *
   * @throws `ERR_NO_DEVICE` when nothing is at the address; `ERR_PERMISSION` when it is to be writable and may not be;
   * `ERR_INVALID_ARGUMENT` when `address` is none.
   */
  static open(address: PciAddressLike, options: SysfsConfigOptions = {}): SysfsConfigAccess {
    const at = PciAddress.from(address)
    const path = devicePath(options, at, 'config')
    try {
      return new SysfsConfigAccess(at, path, openSync(path, options.writable === true ? 'r+' : 'r'))
    } catch (error) {
      if (errnoOf(error) === Errno.ENOENT) throw noDeviceError(at, options)
      throw fileError('open', path, error)
    }
  }

  read8(offset: number): number {
    return this.#read(offset, 1).readUInt8(0)
  }

  read16(offset: number): number {
    return this.#read(offset, 2).readUInt16LE(0)
  }

  read32(offset: number): number {
    return this.#read(offset, 4).readUInt32LE(0)
  }

  read64(offset: number): bigint {
    return this.#read(offset, 8).readBigUInt64LE(0)
  }

  write8(offset: number, value: number): void {
    this.#buffer.writeUInt8(value & 0xff, 0)
    this.#write(offset, 1)
  }

  write16(offset: number, value: number): void {
    this.#buffer.writeUInt16LE(value & 0xffff, 0)
    this.#write(offset, 2)
  }

  write32(offset: number, value: number): void {
    this.#buffer.writeUInt32LE(value >>> 0, 0)
    this.#write(offset, 4)
  }

  write64(offset: number, value: bigint): void {
    this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), 0)
    this.#write(offset, 8)
  }

  /** Closes the file; every access after it throws `ERR_CLOSED`. Can be called again. */
  close(): void {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) closeSync(fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #read(offset: number, width: number): Buffer {
    const fd = this.#open(offset, width)
    let count: number
    try {
      count = readSync(fd, this.#buffer, 0, width, offset)
    } catch (error) {
      throw this.#failed('read', error)
    }
    // The file is as long as the config space, yet ends early for those who may not see all of it.
    if (count < width) throw this.#hidden(offset)
    return this.#buffer
  }

  #write(offset: number, width: number): void {
    const fd = this.#open(offset, width)
    let count: number
    try {
      count = writeSync(fd, this.#buffer, 0, width, offset)
    } catch (error) {
      throw this.#failed('write', error)
    }
    if (count < width) throw this.#hidden(offset)
  }

  #open(offset: number, width: number): number {
    if (this.#fd === undefined) {
      throw new OpenbarError('ERR_CLOSED', {
        message: `The config space of ${this.address} was closed.`,
        context: { what: `config space of ${this.address}` },
      })
    }
    if (offset >>> 0 !== offset || offset > this.size - width || (offset & (width - 1)) !== 0) {
      throw accessError(offset, width, this.size)
    }
    return this.#fd
  }

  #hidden(offset: number): OpenbarError {
    return new OpenbarError('ERR_PERMISSION', {
      message: `The kernel does not show this process the config space of ${this.address} at 0x${offset.toString(16)}.`,
      hint: 'All beyond the first 64 bytes needs root (CAP_SYS_ADMIN).',
      context: { target: this.#path },
    })
  }

  #failed(syscall: 'read' | 'write', error: unknown): Error {
    const errno = errnoOf(error)
    if (errno === Errno.ENODEV) {
      return new OpenbarError('ERR_DEVICE_GONE', {
        message: `${this.address} was removed.`,
        context: { address: this.address.toString() },
        errno,
        syscall,
        cause: error,
      })
    }
    if (syscall === 'write' && errno === Errno.EBADF) {
      return new OpenbarError('ERR_PERMISSION', {
        message: `The config space of ${this.address} was opened for reading only.`,
        hint: 'Open it with { writable: true }.',
        context: { target: this.#path },
        errno,
        syscall,
        cause: error,
      })
    }
    return fileError(syscall, this.#path, error)
  }
}
