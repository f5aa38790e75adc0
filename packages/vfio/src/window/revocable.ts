/**
 * What a device keeps of a window, to take it away. It reaches nothing that the window's users hold, so that what they have
 * forgotten can be collected.
 */
export interface Revocable {
  /** Whether it has the device's memory mapped, which must not be touched once the device no longer answers there. */
  readonly mapped: boolean
  /** Takes the window away. Further calls do nothing. */
  revoke(): void
}
