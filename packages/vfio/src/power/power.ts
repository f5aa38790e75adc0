import {
  invalidArgument,
  OpenbarError,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
} from '@openbar/linux'
import type { PowerState } from '@openbar/pci'
import { assertWait, waitWithin } from '../events/wait-within.ts'
import { hasFeature, notHere } from '../features/device-feature.ts'
import type { PowerOwner } from './power-owner.ts'
import { PowerRegisters } from './power-registers.ts'
import { lacksRuntimePower, readRuntimePower } from './runtime-power.ts'

/** What a device has of power states. */
export interface PowerSupport {
  /** The states of {@link Power.enter}: `D0`, as a rule `D3hot`, seldom `D1` and `D2`. */
  readonly states: readonly PowerState[]
  /** Whether its registers keep what they hold from D3hot back to D0. When not, that way is a reset. */
  readonly keepsState: boolean
  /** Whether {@link Power.enterLowPower} can come to anything. */
  readonly lowPower: boolean
  /** The same, with word of the device's waking up. */
  readonly wakeUp: boolean
}

/** A power state; `D3cold` is without any power, and `unknown` where the kernel does not tell. */
export type DevicePowerState = PowerState | 'D3cold' | 'unknown'

/** How to wait for a device to wake up. */
export interface WakeUpOptions {
  /** Longest wait in milliseconds. */
  readonly timeout: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal
}

const STATES: readonly DevicePowerState[] = ['D0', 'D1', 'D2', 'D3hot', 'D3cold']

/**
 * A device's power: its states, which it enters at once, and low power, in which the kernel takes as much power away as the machine
 * can.
 *
 * On the way out of D0 and into low power every window is taken away, and interrupts and bus mastering are switched off; they stay
 * so afterwards, until the caller switches them on.
 *
 * @see PCI Bus Power Management Interface 1.2; linux/vfio.h, `VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY`
 *
 * @example
 * ```ts
 * device.power.enterLowPower({ wakeUp: true })
 * await device.power.waitForWakeUp({ timeout: 60_000 })
 * ```
 */
export class Power {
  readonly #owner: PowerOwner
  #registers: PowerRegisters | undefined

  /** @internal */
  constructor(owner: PowerOwner) {
    this.#owner = owner
  }

  /**
   * What of all this the device, and the machine, have.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   */
  get support(): PowerSupport {
    const { fd, address } = this.#owner
    const { states, keepsState } = this.#live().capability
    const here = !lacksRuntimePower(address)
    return {
      states,
      keepsState,
      lowPower: here && hasFeature(fd, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, 'set', address),
      wakeUp: here && hasFeature(fd, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, 'set', address),
    }
  }

  /**
   * The state that the device is in: as config space has it; while it is in low power as the kernel has it, for reading config
   * space would wake it.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  get state(): DevicePowerState {
    if (!this.lowPower) return this.#live().state
    const { state } = readRuntimePower(this.#owner.address)
    return STATES.find((known) => known === state) ?? 'unknown'
  }

  /**
   * Puts the device into a state, and is back when it is there: waking up from D3hot takes 10 ms.
   *
   * Where {@link PowerSupport.keepsState} says no, the way from D3hot to D0 is a reset: its registers have to be programmed anew.
   * The kernel puts config space back as it was.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when it has no such state, with nothing changed; `ERR_DEVICE_FAULT` when it
   *   does not get there; `ERR_INVALID_ARGUMENT`; `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   *
   * @example
   * ```ts
   * device.power.enter('D3hot')
   * device.power.enter('D0')
   * const bar0 = device.bar(0).map()
   * ```
   */
  enter(state: PowerState): void {
    if (!STATES.slice(0, 4).includes(state)) throw invalidArgument('state', state, "'D0', 'D1', 'D2' or 'D3hot'")
    const { address } = this.#owner
    const registers = this.#live()
    if (!registers.capability.states.includes(state)) {
      throw new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `${address} has no power state ${state}; it has ${registers.capability.states.join(', ')}.`,
        context: { what: `power state ${state}` },
      })
    }
    if (registers.state === state) return
    if (state !== 'D0') this.#owner.quiesce(`the device was put into ${state}`)
    registers.state = state
    const reached = registers.state
    if (reached === state) return
    throw new OpenbarError('ERR_DEVICE_FAULT', {
      message: `${address} was to enter ${state}, and is in ${reached}.`,
      hint: 'The kernel keeps a device with virtual functions in D0; another one may be broken: device.reset().',
      context: { address, what: `power state ${state}` },
    })
  }

  /** Whether the device is in low power. It is not any more once it was woken. */
  get lowPower(): boolean {
    return this.#owner.lowPower.on
  }

  /**
   * Lets the kernel take the device's power away, as far as the machine can, and as long as nobody needs the device. Until it was
   * woken, whatever would touch it throws `ERR_LOW_POWER`.
   *
   * Whether and when the kernel does so is up to it: {@link Power.state} tells.
   *
   * @param options.wakeUp - Have it told when the device is woken by anything: by itself (PME), or by whoever writes `on` to its
   *   `power/control` in sysfs. It is out of low power then. Without, the kernel suspends it again as soon as it can.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when the kernel does not do that, or suspends nothing, with nothing changed;
   *   `ERR_LOW_POWER` when it is in low power; `ERR_SYSCALL`; `ERR_NO_DOMAIN`, `ERR_CLOSED`.
   */
  enterLowPower(options: { readonly wakeUp?: boolean } = {}): void {
    const { fd, address, lowPower } = this.#owner
    const wakeUp = options.wakeUp === true
    if (lacksRuntimePower(address)) {
      throw new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `${address} cannot enter low power: this kernel has no runtime power management.`,
        hint: "It was built without CONFIG_PM. The device's own states may be there: device.power.enter('D3hot').",
        context: { what: 'low power' },
      })
    }
    const feature = wakeUp ? VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP : VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY
    if (!hasFeature(fd, feature, 'set', address)) throw notHere(address, 'low power')
    this.#owner.quiesce('the device entered low power')
    lowPower.enter(fd, wakeUp)
  }

  /**
   * Wakes the device. It is in D0 then. Does nothing when it is not in low power.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL` when the kernel cannot wake it.
   */
  exitLowPower(): void {
    this.#owner.lowPower.exit()
  }

  /**
   * Waits until the device was woken, by whatever. Keeps the process alive.
   *
   * @throws {@link OpenbarError} `ERR_TIMEOUT`; `ERR_INVALID_ARGUMENT` when it did not enter low power with `wakeUp`, or for a
   *   timeout that is no end; `ERR_CLOSED` when the device is closed, reset or taken out of its domain meanwhile; the signal's
   *   reason.
   */
  async waitForWakeUp(options: WakeUpOptions): Promise<void> {
    assertWait(options)
    const { lowPower, address } = this.#owner
    if (!lowPower.on) return
    if (!lowPower.tellsWakeUp) {
      throw invalidArgument('wakeUp', false, 'low power that was entered with { wakeUp: true }')
    }
    const { timeout } = options
    await waitWithin<void>(
      (woken, ended) => lowPower.subscribe({ woken, ended }),
      options,
      () => {
        const waitedFor = `${address} to wake up`
        const message = `Waited ${timeout} ms for ${waitedFor}, in vain.`
        return new OpenbarError('ERR_TIMEOUT', { message, context: { waitedFor, milliseconds: timeout } })
      },
    )
  }

  #live(): PowerRegisters {
    // Reached on every call, so that a device without a domain says so, even one without that capability, of which nothing is
    // read then; capabilities do not move.
    const { config } = this.#owner
    this.#registers ??= new PowerRegisters(config)
    return this.#registers
  }
}
