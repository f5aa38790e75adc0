import { ConfigSpace, type RegisterAccess } from '@openbar/pci'

const COMMAND = 0x04
const MEMORY_SPACE = 1 << 1
const POWER_MANAGEMENT = 0x01
const POWER_CONTROL = 4
const POWER_STATE = 0x3
const PCI_EXPRESS = 0x10
const DEVICE_CONTROL_HIGH = 9
const INITIATE_FLR = 1 << 7
const ADVANCED_FEATURES = 0x13
const AF_CONTROL = 4
const AF_INITIATE_FLR = 1 << 0

/** Whom the guard warns, before a write takes effect. */
export interface GuardedDevice {
  /** The function's memory is about to become unreachable. */
  beforeMemoryGoes(): void
  /** The function is about to be reset. */
  beforeReset(): void
}

/**
 * Watches over the writes to a live config space: those that switch memory decoding off, leave D0 or reset the function.
 * Touching a mapped BAR after the first two would end the process.
 *
 * @see PCI Local Bus 3.0, 6.2.2 (command register); PCI Power Management 1.2, 3.2.4 (PMCSR); PCI Express Base 5.0,
 *   7.5.3.4 (Device Control: Initiate Function Level Reset); Advanced Capabilities for Conventional PCI, ECN of 2006 (AF Control)
 */
export class ConfigGuard {
  readonly #config: RegisterAccess
  readonly #device: GuardedDevice
  readonly #powerControl: number | undefined
  readonly #deviceControlHigh: number | undefined
  readonly #afControl: number | undefined
  /**
   * Whether memory was on as the command register was written last. The kernel lets memory be touched by that, and not by what the
   * register reads: on the way from D3hot to D0 it puts an older value back into the register.
   */
  #switchedOn: boolean

  constructor(config: RegisterAccess, device: GuardedDevice) {
    this.#config = config
    this.#device = device
    // Capabilities do not move. Looked up here once, for a write must not have to read first.
    const capabilities = new ConfigSpace(config).capabilities()
    const locate = (id: number, register: number): number | undefined => {
      const found = capabilities.findById(id)
      return found === undefined ? undefined : found.offset + register
    }
    this.#powerControl = locate(POWER_MANAGEMENT, POWER_CONTROL)
    this.#deviceControlHigh = locate(PCI_EXPRESS, DEVICE_CONTROL_HIGH)
    this.#afControl = locate(ADVANCED_FEATURES, AF_CONTROL)
    this.#switchedOn = (config.read16(COMMAND) & MEMORY_SPACE) !== 0
  }

  /** Why the function's memory cannot be reached now; `undefined` when it can. */
  get memoryProblem(): string | undefined {
    const on = this.#switchedOn && (this.#config.read16(COMMAND) & MEMORY_SPACE) !== 0
    if (!on) return 'its memory decoding is switched off'
    const control = this.#powerControl === undefined ? 0 : this.#config.read16(this.#powerControl)
    const state = control & POWER_STATE
    return state === 0 ? undefined : `it is in the power state D${state}`
  }

  /** Looks at what is about to be written, and warns the device. */
  beforeWrite(offset: number, bytes: DataView): void {
    const byteAt = (address: number | undefined): number | undefined =>
      address !== undefined && address >= offset && address < offset + bytes.byteLength
        ? bytes.getUint8(address - offset)
        : undefined
    const resets =
      ((byteAt(this.#deviceControlHigh) ?? 0) & INITIATE_FLR) !== 0 ||
      ((byteAt(this.#afControl) ?? 0) & AF_INITIATE_FLR) !== 0
    const command = byteAt(COMMAND)
    if (command !== undefined) this.#switchedOn = (command & MEMORY_SPACE) !== 0
    const decodes = ((command ?? MEMORY_SPACE) & MEMORY_SPACE) !== 0
    const staysInD0 = ((byteAt(this.#powerControl) ?? 0) & POWER_STATE) === 0
    if (resets) this.#device.beforeReset()
    else if (!decodes || !staysInD0) this.#device.beforeMemoryGoes()
  }
}
