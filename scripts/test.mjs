import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepare } from './lib/prepare.mjs'
import { run } from './lib/run.mjs'
import { say } from './lib/say.mjs'
import { runMain, Stop } from './lib/stop.mjs'
import { withTemporaryDirectory } from './lib/temporary-directory.mjs'
import { readReport, sumCounts } from './test/counts.mjs'
import { resultTable, totalLine } from './test/result-table.mjs'
import { runVitest } from './test/run-vitest.mjs'

const help = `Runs all tests and counts them.

  npm test                    everything, at sizes that keep it under 15 minutes
  npm run test:full           the same at full sizes
  npm test -- --only <part>   unit:   on this machine, without devices
                              lab:    the lab's own tests, which boot guests
                              packed: the published packages, installed into an empty project
                              matrix: the tests on devices, in guests, as tests/lab-matrix.ts says
  npm test -- --row <text>    only the rows of the matrix whose name contains the text`

const parts = ['unit', 'lab', 'packed', 'matrix']

await runMain(async () => {
  const { full, only, row, help: wanted } = readOptions()
  if (wanted) {
    console.log(help)
    return 0
  }
  if (full) process.env.OPENBAR_FULL = '1'
  await prepare(only === 'unit' ? {} : { kernel: 'all' })

  /** @type {import('./test/result-table.mjs').StageResult[]} */
  const results = []
  for (const part of only === undefined ? parts : [only]) {
    say(`\n=== ${part} ===`)
    results.push(...(await runPart(part, row)))
  }
  const total = sumCounts(results)
  console.log(`\n${resultTable(results)}\n\n${totalLine(total)}`)
  return total.failed === 0 ? 0 : 1
})

/**
 * @param {string} part
 * @param {string} row
 * @returns {Promise<import('./test/result-table.mjs').StageResult[]>}
 */
async function runPart(part, row) {
  if (part === 'unit') return [await runVitest('unit', 'vitest.config.ts')]
  if (part === 'lab') return [await runVitest('lab', 'vitest.qemu.config.ts', 'packages/lab')]
  if (part === 'packed') return [await runVitest('packed', 'vitest.packed.config.ts')]
  return withTemporaryDirectory('matrix', async (directory) => {
    const path = join(directory, 'results.json')
    const { code } = await run('node', ['scripts/test/run-lab-matrix.mjs', '--results', path, '--row', row])
    /** @type {import('./test/result-table.mjs').StageResult[]} */
    const rows = JSON.parse(readReport(path) ?? '[]')
    // It may have ended before, or beside, what it has counted.
    if (code !== 0 && !rows.some(({ failed }) => failed > 0)) {
      rows.push({ name: 'matrix', passed: 0, failed: 1, skipped: 0, seconds: 0 })
    }
    return rows
  })
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        full: { type: 'boolean', default: false },
        only: { type: 'string' },
        row: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    const only = values.only ?? (values.row === undefined ? undefined : 'matrix')
    if (only !== undefined && !parts.includes(only)) throw new Error(`--only is ${parts.join(', ')}, not ${only}`)
    return { ...values, only, row: values.row ?? '' }
  } catch (error) {
    throw new Stop(2, `${/** @type {Error} */ (error).message}\n\n${help}`)
  }
}
