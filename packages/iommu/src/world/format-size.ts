const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const

/**
 * A number of bytes as people read it, with at most one decimal place: `512 B`, `4 KiB`, `1.5 MiB`.
 *
 * @param bytes - Not negative. Rounded down, so that nothing looks larger than it is.
 */
export function formatSize(bytes: number | bigint): string {
  const exact = BigInt(bytes)
  if (exact < 1024n) return `${exact} B`
  const power = Math.min(Math.floor((exact.toString(2).length - 1) / 10), UNITS.length)
  const tenths = (exact * 10n) >> (10n * BigInt(power))
  const fraction = tenths % 10n
  return `${tenths / 10n}${fraction === 0n ? '' : `.${fraction}`} ${UNITS[power - 1]}`
}
