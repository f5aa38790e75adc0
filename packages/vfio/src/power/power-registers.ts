import { ConfigSpace, type PowerState, type RegisterAccess } from '@openbar/pci'

const POWER_MANAGEMENT = 0x01
const CONTROL = 4
const STATE_MASK = 0x3
// Writing it back as read would clear it.
const PME_STATUS = 1 << 15
const STATES: readonly PowerState[] = ['D0', 'D1', 'D2', 'D3hot']

/** What a function's power management capability says. */
export interface PowerCapability {
  /** The states that the function has, `D0` first. */
  readonly states: readonly PowerState[]
  /** Whether the function keeps what its registers hold from D3hot back to D0. */
  readonly keepsState: boolean
}

/** What a function without that capability has. */
export const ALWAYS_ON: PowerCapability = { states: ['D0'], keepsState: true }

/**
 * The registers of a function's power management capability.
 *
 * @see PCI Bus Power Management Interface 1.2, 3.2; PCI Express Base 5.0, 7.5.2
 */
export class PowerRegisters {
  readonly capability: PowerCapability
  readonly #config: RegisterAccess
  readonly #control: number | undefined

  constructor(config: RegisterAccess) {
    const capabilities = new ConfigSpace(config).capabilities()
    const found = capabilities.find('powerManagement')
    const offset = capabilities.findById(POWER_MANAGEMENT)?.offset
    this.#config = config
    this.#control = offset === undefined ? undefined : offset + CONTROL
    this.capability =
      found === undefined
        ? ALWAYS_ON
        : {
            states: STATES.filter((state) => state !== 'D1' || found.d1Support).filter(
              (state) => state !== 'D2' || found.d2Support,
            ),
            keepsState: found.noSoftReset,
          }
  }

  /** The state that the function is in. */
  get state(): PowerState {
    if (this.#control === undefined) return 'D0'
    return STATES[this.#config.read16(this.#control) & STATE_MASK]!
  }

  set state(state: PowerState) {
    if (this.#control === undefined) return
    const control = this.#config.read16(this.#control) & ~(STATE_MASK | PME_STATUS)
    this.#config.write16(this.#control, control | STATES.indexOf(state))
  }
}
