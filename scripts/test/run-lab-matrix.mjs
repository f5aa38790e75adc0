// Runs on the Node.js that npm installs, unlike the other scripts: it takes a file in TypeScript and the lab as a library.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Lab, LabError } from '@openbar/lab'
import { labMatrix, rowName } from '../../tests/lab-matrix.ts'
import { root } from '../lib/root.mjs'
import { withTemporaryDirectory } from '../lib/temporary-directory.mjs'
import { countTests, readReport } from './counts.mjs'

const { values } = parseArgs({
  options: {
    /** A JSON file for the results. */
    results: { type: 'string' },
    /** Only the rows whose name contains this. */
    row: { type: 'string', default: '' },
  },
})
/**
 * QEMU 7.2's 82574L asserts that MSI-X is on whenever the throttling interval of a message, 128 us, is over. A driver that switches
 * MSI-X off waits for that; on a busy host QEMU's timers come later than any wait.
 */
const qemuDefect = 'e1000e_intrmgr_on_msix_throttling_timer'
const minutesPerRow = process.env['OPENBAR_FULL'] === '1' ? 60 : 10

const stop = new AbortController()
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => stop.abort(new Error(`Stopped by ${signal}`)))
}

/** @type {import('./result-table.mjs').StageResult[]} */
const results = []
for (const row of labMatrix) {
  const name = rowName(row)
  if (!name.includes(values.row) || stop.signal.aborted) continue
  console.log(`\n== ${name} ==`)
  const started = performance.now()
  const counts = await runRow(row)
  results.push({ name, ...counts, seconds: (performance.now() - started) / 1000 })
  if (values.results !== undefined) writeFileSync(values.results, JSON.stringify(results))
}

if (stop.signal.aborted) process.exitCode = 130
else if (results.length === 0) {
  console.error(`No row of tests/lab-matrix.ts is called ${values.row}: ${labMatrix.map(rowName).join('; ')}`)
  process.exitCode = 2
} else process.exitCode = results.some(({ failed }) => failed > 0) ? 1 : 0

/**
 * Boots one guest and runs vitest once in it.
 *
 * @param {import('../../tests/lab-matrix.ts').MatrixRow} row
 * @returns {Promise<import('./counts.mjs').Counts>}
 */
function runRow(row) {
  return withTemporaryDirectory('row', (directory) => runGuest(row, join(directory, 'report.json')))
}

/**
 * @param {import('../../tests/lab-matrix.ts').MatrixRow} row
 * @param {string} report Where to put vitest's report.
 * @param {number} [attempt]
 * @returns {Promise<import('./counts.mjs').Counts>}
 */
async function runGuest(row, report, attempt = 1) {
  let exitCode = 1
  try {
    await using lab = await Lab.boot({ ...row.machine, signal: stop.signal })
    const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.lab.config.ts']
    const result = await lab.run([...vitest, '--configLoader', 'native', ...row.files], {
      cwd: root,
      env: {
        OPENBAR_BACKENDS: row.backends.join(','),
        ...(process.env['OPENBAR_FULL'] === '1' ? { OPENBAR_FULL: '1' } : {}),
      },
      stdout: process.stdout,
      stderr: process.stderr,
      timeoutMs: minutesPerRow * 60_000,
      signal: stop.signal,
    })
    exitCode = result.exitCode
    await lab.copyOut('/run/openbar-lab/out/report.json', report)
  } catch (error) {
    if (stop.signal.aborted) return { passed: 0, failed: 0, skipped: 0 }
    if (error instanceof LabError && error.message.includes(qemuDefect) && attempt < 3) {
      console.error(`QEMU ended itself by a defect of its own (${qemuDefect}): this row starts anew.`)
      return runGuest(row, report, attempt + 1)
    }
    // The other rows are worth running all the same.
    console.error(error instanceof LabError ? labErrorText(error) : error)
  }
  return countTests(readReport(report), exitCode)
}

/** @param {LabError} error */
function labErrorText({ message, hint, console: tail }) {
  return [message, hint, tail].filter((part) => part !== undefined && part !== '').join('\n')
}
