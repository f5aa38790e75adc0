import type { Revocable } from './revocable.ts'

/** What a window tells the device that it belongs to. */
export interface WindowOwner {
  /** What must not be collected while anybody holds the window or one of its arrays. */
  readonly keeper?: object
  /** A read returned all ones, which is what a device that is gone answers. Throws when it is. */
  checkPresence(): void
  /** The window was closed. */
  windowClosed(view: Revocable): void
  /** Called before a window that reads and writes a file writes; what it throws keeps the write from happening. */
  beforeWrite?(offset: number, bytes: DataView): void
  /** Called when the kernel refused an access to a file; throws when it knows why. */
  explainFailure?(): void
}

/** Whose window it is. */
export interface WindowPlace {
  /** The device's PCI address. */
  readonly address: string
  /** The region's name, such as `BAR 0`. */
  readonly region: string
}
