import { execFileSync } from 'node:child_process'
import { bindDriver, readFunction } from '@openbar/pci'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { nicAddresses } from '../support/nics.ts'

/** How long an interrupt may take into a callback in JavaScript, at the median, against a C program's epoll loop. */
const MOST = 3
const ATTEMPTS = 3
const ROUNDS = 500
const TURNS = process.env['OPENBAR_FULL'] === '1' ? 10 : 3
const C_PROGRAM = '/tmp/latency-bench'
const cSource = new URL('latency-bench.c', import.meta.url).pathname
const jsProgram = new URL('latency-bench.ts', import.meta.url).pathname
const [address = ''] = nicAddresses('edu')

function microseconds(file: string, args: readonly string[]): number[] {
  const lines = execFileSync(file, [...args, `${ROUNDS}`], { encoding: 'utf8' })
    .trim()
    .split('\n')
  expect(lines).toHaveLength(ROUNDS)
  return lines.map((line) => Number(line) / 1000)
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!
}

const undo = new AsyncDisposableStack()
beforeAll(async () => {
  undo.use(await bindDriver(address, 'vfio-pci'))
  execFileSync('gcc', ['-O2', '-o', C_PROGRAM, cSource])
})
afterAll(() => undo.disposeAsync())

/** What it takes into JavaScript, as a multiple of what it takes into C. */
function compare(): number {
  const c: number[] = []
  const js: number[] = []
  // By turns: what else the machine does meets both.
  for (let turn = 0; turn < TURNS; turn += 1) {
    c.push(...microseconds(C_PROGRAM, ['receive', `/dev/vfio/${readFunction(address).iommuGroup}`, address]))
    js.push(...microseconds(process.execPath, [jsProgram, C_PROGRAM, address]))
  }
  const ratio = percentile(js, 0.5) / percentile(c, 0.5)
  const show = (values: readonly number[]) =>
    `median ${percentile(values, 0.5).toFixed(0)} us, 99th percentile ${percentile(values, 0.99).toFixed(0)} us`
  console.log(`C: ${show(c)}; JavaScript: ${show(js)}: ${ratio.toFixed(2)}x at the median`)
  return ratio
}

it(`reaches the callback within ${MOST} times the time of a C epoll loop`, () => {
  let ratio = compare()
  // A host that has other work stretches what takes longer by more; it is measured again then.
  for (let attempt = 1; attempt < ATTEMPTS && ratio > MOST; attempt += 1) ratio = Math.min(ratio, compare())
  expect(ratio).toBeLessThanOrEqual(MOST)
}, 300_000)
