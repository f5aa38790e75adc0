import { join } from 'node:path'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'
import { withTemporaryDirectory } from '../lib/temporary-directory.mjs'
import { countTests, readReport } from './counts.mjs'

/**
 * Runs vitest on this machine, and counts.
 *
 * @param {string} name What to call it in the table.
 * @param {string} config
 * @param {string} [directory] Where the configuration is and the tests run, from the root. Default: the root.
 * @returns {Promise<import('./result-table.mjs').StageResult>}
 */
export async function runVitest(name, config, directory = '.') {
  return withTemporaryDirectory('report', async (temporary) => {
    const report = join(temporary, 'report.json')
    const started = performance.now()
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const { code } = await run('vitest', ['run', '--config', config, ...reporters], { cwd: join(root, directory) })
    return { name, ...countTests(readReport(report), code), seconds: (performance.now() - started) / 1000 }
  })
}
