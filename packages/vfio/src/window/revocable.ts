/**
 * What a device keeps of a view that it gave out, to take it away. It must not lead to what the user holds: else a device that the
 * user has forgotten could never be collected.
 */
export interface Revocable {
  /** Whether it reaches the device's memory directly, and would end the process when that cannot be reached. */
  readonly mapped: boolean
  /** Takes the view away. Further calls do nothing. */
  revoke(): void
}
