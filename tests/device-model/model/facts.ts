import type { InterruptKind } from '@openbar/vfio'

/** One of a device's regions, which never changes. */
export interface RegionFacts {
  readonly size: number
  readonly readable: boolean
  readonly writable: boolean
  /** Whether windows onto it are mapped; else they read and write a file. */
  readonly mapped: boolean
}

/** What a device is and has, found out once: the model says what follows from it. */
export interface NicFacts {
  readonly address: string
  readonly model: string
  readonly regions: readonly RegionFacts[]
  readonly resettable: boolean
  readonly d3hot: boolean
  readonly lowPower: boolean
  readonly vectors: Readonly<Record<InterruptKind, number>>
  /** Whether MSI-X vectors can be added without room for them. */
  readonly resizable: boolean
  /** Eventfds that the package keeps for the kernel's own events while the device is in a domain. */
  readonly signals: number
  /** The command register of a device that was just opened. */
  readonly command: number
  /** The interrupt line register, likewise: nothing depends on what is written there. */
  readonly line: number
  /** Offset of the power management's control register. */
  readonly powerControl: number | undefined
  /** Offset of the device control register of PCI Express. */
  readonly deviceControl: number | undefined
  /** Widths in bits in which the kernel writes for an eventfd. */
  readonly eventWidths: readonly number[]
  /** `device.features`, as JSON. */
  readonly features: string
}

/** Bits of the command register. */
export const IO = 1
export const MEMORY = 2
export const BUS_MASTER = 4

/** The multicast table of both NICs: 128 words that keep what is written, and do nothing as long as no packet comes. */
export const SCRATCH = { offset: 0x5200, words: 128 } as const
