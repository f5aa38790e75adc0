/**
 * @typedef {import('./counts.mjs').Counts & { readonly name: string, readonly seconds: number }} StageResult
 */

/**
 * The results as a table to read, one line each.
 *
 * @param {readonly StageResult[]} results
 */
export function resultTable(results) {
  const rows = [
    ['', 'passed', 'failed', 'skipped', 'seconds'],
    ...results.map(({ name, passed, failed, skipped, seconds }) => [
      name,
      ...[passed, failed, skipped, Math.round(seconds)].map(String),
    ]),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) => {
      const [name = '', ...numbers] = row.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      return [name, ...numbers].join('  ').trimEnd()
    })
    .join('\n')
}

/**
 * The line that sums everything up, for people and for programs.
 *
 * @param {import('./counts.mjs').Counts} counts
 */
export function totalLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
}
