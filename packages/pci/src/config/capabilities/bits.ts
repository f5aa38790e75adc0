/** Whether a bit of a register's value is set. */
export function bit(value: number, index: number): boolean {
  return ((value >>> index) & 1) !== 0
}

/** The bits `high` to `low` of a register's value, as the specifications number them. */
export function bits(value: number, high: number, low: number): number {
  return (value >>> low) & (2 ** (high - low + 1) - 1)
}
