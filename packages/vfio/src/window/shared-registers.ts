import type { SharedMemory } from '@openbar/linux'

/** A device's registers as other threads of the process are told of them: a plain object, to be posted. */
export interface SharedRegisters {
  /** The device's PCI address. */
  readonly address: string
  /** The region's name, such as `BAR 0`. */
  readonly region: string
  /** Bytes of the region. */
  readonly size: number
  readonly memory: SharedMemory
}
