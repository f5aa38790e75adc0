import { readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Errno } from '@openbar/linux/errors'
import type { SysfsIo } from '../binding/sysfs-io.ts'

/** What a {@link FakeKernel} does instead of what was asked for. */
export type Fault = { readonly errno: keyof typeof Errno } | 'hang' | 'ignore' | (() => void | Promise<void>)

/** Plays the kernel behind a fake sysfs: what is written to its attributes moves functions between drivers. */
export class FakeKernel implements SysfsIo {
  /** What was written: `unbind 0000:03:00.0`. */
  readonly writes: string[] = []
  /** Faults by the number of the write, from 0. */
  readonly faults = new Map<number, Fault>()
  /** Drivers that would bind a function without override. */
  readonly natural = new Map<string, string>()
  readonly #sysfs: string

  constructor(sysfs: string) {
    this.#sysfs = sysfs
  }

  read(path: string): Promise<string> {
    return readFile(path, 'utf8')
  }

  async write(path: string, text: string): Promise<void> {
    const fault = this.faults.get(this.writes.length)
    this.writes.push(`${basename(path)} ${text.trim()}`.trim())
    if (fault === 'hang') return await new Promise(() => {})
    if (fault === 'ignore') return
    if (typeof fault === 'function') return await fault()
    if (fault !== undefined)
      throw Object.assign(new Error(fault.errno), { errno: -Errno[fault.errno], syscall: 'write' })
    this.#apply(path, text)
  }

  /** Binds a function behind everybody's back. */
  bind(address: string, driver: string): void {
    rmSync(this.#device(address, 'driver'), { force: true })
    symlinkSync(`../../../bus/pci/drivers/${driver}`, this.#device(address, 'driver'))
  }

  /** A function's driver and override, as a user would look them up. */
  async state(address: string): Promise<readonly [driver: string | undefined, override: string]> {
    const override = await readFile(this.#device(address, 'driver_override'), 'utf8')
    return [this.#driver(address), override.trim()]
  }

  #apply(path: string, text: string): void {
    const name = basename(path)
    if (name === 'driver_override') writeFileSync(path, text === '\n' ? '(null)\n' : text)
    if (name === 'unbind') this.#unbind(basename(dirname(path)), text)
    if (name === 'drivers_probe') {
      const driver = this.#driver(text) ?? this.#match(text)
      if (driver !== undefined) this.bind(text, driver)
    }
  }

  #unbind(driver: string, address: string): void {
    if (this.#driver(address) !== driver) throw Object.assign(new Error('ENODEV'), { errno: -Errno.ENODEV })
    rmSync(this.#device(address, 'driver'))
  }

  #match(address: string): string | undefined {
    const path = this.#device(address, 'driver_override')
    const override = readFileSync(path, 'utf8').trim()
    return override === '(null)' ? this.natural.get(address) : override
  }

  #driver(address: string): string | undefined {
    try {
      return basename(readlinkSync(this.#device(address, 'driver')))
    } catch {
      return undefined
    }
  }

  #device(address: string, attribute: string): string {
    return join(this.#sysfs, 'bus/pci/devices', address, attribute)
  }
}
