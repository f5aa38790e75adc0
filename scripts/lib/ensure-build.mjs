import { run } from './run.mjs'
import { say } from './say.mjs'
import { Stop } from './stop.mjs'

const quiet = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' }

/** Builds the packages whose sources have changed since the last time. */
export async function ensureBuild() {
  say('Building the packages: about 20 seconds the first time, one second when nothing has changed ...')
  const { code, output } = await turbo('build')
  if (code !== 0) throw new Stop(code, `${output.trimEnd()}\nThe build failed.`)
}

/**
 * Runs a task in every workspace, and stays quiet about those that succeed.
 *
 * @param {string} task
 */
export function turbo(task) {
  return run('turbo', ['run', task, '--output-logs=errors-only', '--log-order=grouped'], {
    env: quiet,
    output: 'capture',
  })
}
