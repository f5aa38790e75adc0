// Runs on the Node.js that npm installs, unlike the other scripts: it takes a file in TypeScript and the lab as a library.
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { inspect, parseArgs } from 'node:util'
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
    /** How many guests at once. A guest keeps about one core busy. */
    jobs: { type: 'string', default: String(Math.min(availableParallelism(), 2)) },
  },
})
/**
 * Two things that end a guest and are not ours, each with words that only it has. QEMU 7.2's 82574L asserts that MSI-X is on whenever
 * the throttling interval of a message, 128 us, is over: a driver that switches MSI-X off waits for that, and on a busy host QEMU's
 * timers come later than any wait. And under emulation on a busy host a processor's timer may get lost, so that the guest hangs.
 */
const strokesOfFate = ['e1000e_intrmgr_on_msix_throttling_timer', "kthread timer wakeup didn't happen"]
const full = process.env['OPENBAR_FULL'] === '1'
const minutesPerRow = full ? 60 : 20

const stop = new AbortController()
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => stop.abort(new Error(`Stopped by ${signal}`)))
}

const rows = labMatrix.filter((row) => {
  return rowName(row).includes(values.row) && (full || values.row !== '' || row.onlyFull !== true)
})
/** @type {import('./result-table.mjs').StageResult[]} */
const results = []
let next = 0

await Promise.all(Array.from({ length: Number(values.jobs) }, runRows))

/** Takes rows until there are none left. */
async function runRows() {
  while (next < rows.length && !stop.signal.aborted) {
    const index = next
    next += 1
    const row = /** @type {import('../../tests/lab-matrix.ts').MatrixRow} */ (rows[index])
    const name = rowName(row)
    // Alone, it is shown as it comes; beside others each row's output is shown in one piece when it is done.
    const alone = rows.length === 1
    const output = alone ? process.stdout : new PassThrough()
    const pieces = alone ? undefined : output.toArray()
    console.log(alone ? `\n== ${name} ==` : `   ${name} ...`)
    const started = performance.now()
    const counts = await runRow(row, output)
    const seconds = (performance.now() - started) / 1000
    results[index] = { name, ...counts, seconds }
    if (pieces !== undefined) {
      output.end()
      console.log(`\n== ${name}, ${Math.round(seconds)} s ==`)
      process.stdout.write(Buffer.concat(await pieces))
    }
    if (values.results !== undefined) writeFileSync(values.results, JSON.stringify(results.filter(Boolean)))
  }
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
 * @param {import('node:stream').Writable} output Where what is printed goes.
 * @returns {Promise<import('./counts.mjs').Counts>}
 */
function runRow(row, output) {
  return withTemporaryDirectory('row', (directory) => runGuest(row, join(directory, 'report.json'), output))
}

/**
 * @param {import('../../tests/lab-matrix.ts').MatrixRow} row
 * @param {string} report Where to put vitest's report.
 * @param {import('node:stream').Writable} output
 * @param {number} [attempt]
 * @returns {Promise<import('./counts.mjs').Counts>}
 */
async function runGuest(row, report, output, attempt = 1) {
  let exitCode = 1
  try {
    await using lab = await Lab.boot({ ...row.machine, signal: stop.signal })
    const files = full ? (row.fullFiles ?? row.files) : row.files
    const vitest = ['node', 'node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.lab.config.ts']
    const result = await lab.run([...vitest, '--configLoader', 'native', ...files], {
      cwd: root,
      env: {
        OPENBAR_BACKENDS: row.backends.join(','),
        ...(full ? { OPENBAR_FULL: '1' } : {}),
      },
      stdout: output,
      stderr: output,
      timeoutMs: minutesPerRow * 60_000,
      signal: stop.signal,
    })
    exitCode = result.exitCode
    await lab.copyOut('/run/openbar-lab/out/report.json', report)
  } catch (error) {
    if (stop.signal.aborted) return { passed: 0, failed: 0, skipped: 0 }
    const text = error instanceof LabError ? labErrorText(error) : inspect(error)
    const stroke = strokesOfFate.find((words) => text.includes(words))
    if (stroke !== undefined && attempt < 3) {
      output.write(`The guest was ended by a defect of the emulation (${stroke}): this row starts anew.\n`)
      return runGuest(row, report, output, attempt + 1)
    }
    // The other rows are worth running all the same.
    output.write(`${text}\n`)
  }
  return countTests(readReport(report), exitCode)
}

/** @param {LabError} error */
function labErrorText({ message, hint, console: tail }) {
  return [message, hint, tail].filter((part) => part !== undefined && part !== '').join('\n')
}
