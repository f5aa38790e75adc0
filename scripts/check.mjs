import { turbo } from './lib/ensure-build.mjs'
import { packAll } from './lib/pack.mjs'
import { prepare } from './lib/prepare.mjs'
import { root } from './lib/root.mjs'
import { run } from './lib/run.mjs'
import { runMain } from './lib/stop.mjs'
import { withTemporaryDirectory } from './lib/temporary-directory.mjs'

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {() => Promise<string | undefined>} run Resolves to what is wrong; to nothing when all is well.
 */

// What needs installed packages itself is imported when its turn comes: on a fresh clone they are not there before.
/** @type {readonly Check[]} */
const checks = [
  { name: 'format and lint (biome)', run: () => tool('biome', ['check', '--error-on-warnings', '.']) },
  { name: 'types of the packages, tests and examples (tsc)', run: typecheck },
  { name: 'types of the scripts (tsc)', run: () => tool('tsc', ['-p', 'scripts']) },
  {
    name: 'programs in the READMEs (tsc)',
    run: async () => list((await import('./checks/readme-types.mjs')).checkReadmes()),
  },
  {
    name: 'imports between packages',
    run: async () => list(await (await import('./checks/all-imports.mjs')).checkAllImports()),
  },
  {
    name: 'unused files, exports and dependencies (knip)',
    run: () => tool('knip', ['--no-progress', '--no-config-hints']),
  },
  {
    name: 'no names of package hosts',
    run: async () => list(await (await import('./checks/host-names.mjs')).checkHostNames()),
  },
  { name: 'packed packages (publint, attw)', run: packages },
]

await runMain(async () => {
  await prepare()
  let failed = 0
  for (const check of checks) {
    const started = performance.now()
    const problem = await check.run()
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`${problem === undefined ? 'ok    ' : 'FAILED'}  ${check.name}  (${seconds} s)`)
    if (problem === undefined) continue
    failed += 1
    console.log(problem.trimEnd().replaceAll(/^/gm, '        '))
  }
  console.log(failed === 0 ? `All ${checks.length} checks passed.` : `${failed} of ${checks.length} checks failed.`)
  return failed === 0 ? 0 : 1
})

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Promise<string | undefined>}
 */
async function tool(command, args) {
  const { code, output } = await run(command, args, { output: 'capture' })
  return code === 0 ? undefined : `${output}\n${command} ended with exit code ${code}`
}

async function typecheck() {
  const { code, output } = await turbo('typecheck')
  return code === 0 ? undefined : output
}

/** @param {readonly string[]} problems */
function list(problems) {
  return problems.length === 0 ? undefined : problems.join('\n')
}

async function packages() {
  return withTemporaryDirectory('check', async (directory) => {
    /** @type {string[]} */
    const problems = []
    for (const { path } of await packAll(directory)) {
      for (const args of [
        ['publint', 'run', path, '--strict'],
        ['attw', path, '--profile', 'esm-only', '--no-emoji', '--no-color'],
      ]) {
        const [command = '', ...rest] = args
        const problem = await tool(command, rest)
        if (problem !== undefined) problems.push(problem.replaceAll(`${root}/`, ''))
      }
    }
    return list(problems)
  })
}
