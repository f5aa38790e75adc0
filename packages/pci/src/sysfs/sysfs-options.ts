/** Where to look for sysfs. */
export interface SysfsOptions {
  /** Where sysfs is mounted; `/sys` when absent. Tests and containers put another directory here. */
  readonly sysfs?: string | undefined
}
