import type { MachineOptions } from '../qemu/machine-options.ts'
import type { Progress } from '../util/progress.ts'

/** What machine to boot, and how. */
export interface BootOptions extends MachineOptions {
  /** How long the boot may take, in milliseconds. Default 120 000. */
  readonly bootTimeoutMs?: number
  /** Where to tell about steps that take long, such as the one-time test of KVM. Default nowhere. */
  readonly progress?: Progress
  /** Ends the boot, and later the machine. */
  readonly signal?: AbortSignal
}
