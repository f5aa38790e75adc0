import { execFileSync } from 'node:child_process'
import { type Binding, bindDriver } from '@openbar/pci'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nicAddress } from '../support/nics.ts'

const program = new URL('register-bench.ts', import.meta.url).pathname
const address = nicAddress('e1000e')

/** In instructions: what a loop over bound registers may cost against the same over the bare array. */
const BOUND = [
  { loop: 'read', most: 1.05 },
  { loop: 'test', most: 1.05 },
  { loop: 'update', most: 1.05 },
  { loop: 'several', most: 1.05 },
  // V8 makes four rounds of one in loops of fewer than 50 of its operations. A bare store in a loop of its own is one; a bound
  // register's, with what V8 keeps for the call that it put there, is not: 11 instructions a round instead of 33 for four.
  { loop: 'write', most: 1.4 },
] as const

let binding: Binding
let costs: ReadonlyMap<string, number>
const costOf = (name: string): number => costs.get(name) ?? Number.NaN

beforeAll(async () => {
  binding = await bindDriver(address, 'vfio-pci')
  const output = execFileSync(process.execPath, [program, address], { encoding: 'utf8' })
  const lines = output.trim().split('\n')
  // In this guest, a nanosecond is an instruction.
  const parsed = lines.map((line) => JSON.parse(line) as { name: string; nanoseconds: number; result: number })
  costs = new Map(parsed.map(({ name, nanoseconds }) => [name, nanoseconds]))
  expect(parsed.find(({ name }) => name === 'told')?.result).toBe(259)
  for (const [name, cost] of costs) console.log(`${name}: ${cost.toFixed(2)} instructions a round`)
})
afterAll(() => binding?.restore())

describe('bound registers, counted in instructions', () => {
  it.each(BOUND)('cost at most $most times what the array costs: $loop', ({ loop, most }) => {
    expect(costOf(`bound ${loop}`) / costOf(`bare ${loop}`)).toBeLessThanOrEqual(most)
  })

  it.each(['read', 'update'])('cost at most 1.02 times as much after tracing was on and off: %s', (loop) => {
    expect(costOf(`untraced ${loop}`) / costOf(`bound ${loop}`)).toBeLessThanOrEqual(1.02)
  })

  it('take one instruction more where reading has an effect, and must not be left out', () => {
    expect(costOf('effect read') - costOf('bound read')).toBeLessThan(1.5)
  })

  it('are not far from the checked methods of a window', () => {
    expect(costOf('window read') - costOf('bare read')).toBeLessThan(8)
  })
})
