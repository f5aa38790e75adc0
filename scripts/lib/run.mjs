import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { root } from './root.mjs'
import { Stop } from './stop.mjs'

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] Default: the clone.
 * @property {Record<string, string | undefined>} [env] Set beside this process's own.
 * @property {'inherit' | 'stderr' | 'capture'} [output] Where both streams go: to this process's own, both to its stderr, or
 *   into the result. Default `inherit`.
 */

/**
 * @typedef {object} RunResult
 * @property {number} code 128 plus the signal's number when a signal ended it, as in a shell.
 * @property {string} stdout Empty unless captured.
 * @property {string} output Both streams as they came. Empty unless captured.
 */

/** @type {readonly NodeJS.Signals[]} */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Runs a command to its end. Signals that would end this process go to the command instead, which cleans up after itself;
 * then this process ends too.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export async function run(command, args, options = {}) {
  const { cwd = root, env = {}, output = 'inherit' } = options
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio:
      output === 'capture' ? ['ignore', 'pipe', 'pipe'] : ['inherit', output === 'stderr' ? 2 : 'inherit', 'inherit'],
  })
  let stdout = ''
  let both = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
    both += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    both += text
  })

  /** @type {NodeJS.Signals | undefined} */
  let told
  const handlers = forwarded.map((signal) => {
    const handler = () => {
      told ??= signal
      child.kill(signal)
    }
    process.on(signal, handler)
    return () => process.off(signal, handler)
  })
  try {
    const code = await new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (exitCode, signal) => resolve(exitCode ?? signalCode(signal)))
    })
    if (told !== undefined) throw new Stop(signalCode(told))
    return { code, stdout, output: both }
  } finally {
    for (const remove of handlers) remove()
  }
}

/** @param {NodeJS.Signals | null} signal */
function signalCode(signal) {
  return 128 + (signal === null ? 0 : constants.signals[signal])
}

/**
 * Like {@link run}, but ends the script with the command's exit code when that is not 0.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions & { readonly failure?: string }} [options]
 */
export async function mustRun(command, args, options = {}) {
  const result = await run(command, args, options)
  if (result.code !== 0) {
    const said = options.failure ?? `${[command, ...args].join(' ')} ended with exit code ${result.code}.`
    throw new Stop(result.code, result.output === '' ? said : `${result.output.trimEnd()}\n${said}`)
  }
  return result
}
