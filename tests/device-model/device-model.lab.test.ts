import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { bindDriver } from '@openbar/pci'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { nicAddress } from '../support/nics.ts'

const FULL = process.env['OPENBAR_FULL'] === '1'
const STEPS = Number(process.env['OPENBAR_STEPS'] ?? (FULL ? 20_000 : 2000))
const MINUTE = 60_000
const SEED = Number(process.env['OPENBAR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Where the program writes each call before it makes it. */
const LOG = '/tmp/device-model.log'
const program = new URL('device-model-program.ts', import.meta.url)

/** Runs a program to its own end: it is killed when it does not come to it. */
function run(args: readonly string[], timeout: number): Promise<{ readonly ending: string; readonly output: string }> {
  return new Promise((resolve) => {
    const options = { timeout, killSignal: 'SIGKILL', maxBuffer: 2 ** 24 } as const
    const child = execFile(process.execPath, [program.pathname, ...args], options, (_error, stdout, stderr) => {
      const { exitCode, signalCode } = child
      // One that crashed says nothing itself.
      const last = signalCode === null ? '' : readFileSync(LOG, 'utf8').trim().split('\n').slice(-20).join('\n')
      resolve({ ending: signalCode ?? `code ${exitCode}`, output: `${stdout}${stderr}${last}` })
    })
  })
}

describe.each(backends)('two devices and two domains on %s', (backend) => {
  const bindings = new AsyncDisposableStack()
  const nics = (['e1000', 'e1000e'] as const).map((model) => `${model}=${nicAddress(model)}`)
  beforeAll(async () => {
    for (const model of ['e1000', 'e1000e'] as const) bindings.use(await bindDriver(nicAddress(model), 'vfio-pci'))
  })
  afterAll(() => bindings.disposeAsync())

  it(
    `do what the model says, ${STEPS} steps at random, and leave nothing`,
    async () => {
      const { ending, output } = await run(
        [backend, `${STEPS}`, `${SEED}`, LOG, ...nics],
        FULL ? 25 * MINUTE : 2 * MINUTE,
      )
      console.log(output)
      // A crash is a signal; a timer or a listener that was left would have kept it from ending.
      expect(ending, output).toBe('code 0')
      const report = JSON.parse(output.trim().split('\n').at(-1)!) as {
        steps: number
        outcomes: Record<string, number>
      }
      expect(report.steps).toBe(STEPS)
      // The dice have met what they are for: calls that work, and calls on what is of no use any more.
      for (const outcome of ['done', 'ERR_CLOSED']) expect(report.outcomes[outcome]).toBeGreaterThan(0)
    },
    FULL ? 26 * MINUTE : 3 * MINUTE,
  )
})
