/** What a device takes away before it is let go of. */
export interface Revocable {
  /** Whether it also goes when only the device's memory becomes unreachable. */
  readonly mapped: boolean
  /** Takes it away. Further calls do nothing. */
  revoke(): void
}
