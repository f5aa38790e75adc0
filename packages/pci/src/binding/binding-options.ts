import type { SysfsOptions } from '../sysfs/sysfs-options.ts'
import type { SysfsIo } from './sysfs-io.ts'

/** How drivers are bound and unbound. */
export interface BindingOptions extends SysfsOptions {
  /** Milliseconds that each step may take; 10,000 when absent. Drivers of large devices need seconds to probe. */
  readonly timeout?: number | undefined
  /**
   * Ends the work between two steps: what was done is undone, and the signal's reason is thrown. A step that has begun
   * cannot be stopped, since the kernel is at it; it ends within `timeout`.
   */
  readonly signal?: AbortSignal | undefined
  /** Reads and writes the attributes; Node's file functions when absent. Tests put their own here. */
  readonly io?: SysfsIo | undefined
}
