import { execFileSync } from 'node:child_process'
import { bindDriver } from '@openbar/pci'
import { expect, it } from 'vitest'
import { nicAddress } from '../support/nics.ts'

const ROUNDS = process.env['OPENBAR_FULL'] === '1' ? 201 : 41
/** What a read in JavaScript may cost, in time, against one in C. */
const MOST = 1.2
const C_PROGRAM = '/tmp/mmio-bench'
const cSource = new URL('mmio-bench.c', import.meta.url).pathname
const program = new URL('mmio-program.ts', import.meta.url).pathname

/** The lower quartile: what else this machine has to do makes a read only slower. */
function quartile(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 2]!
}

it(`reads a register in at most ${MOST} times the time of a C program`, async () => {
  execFileSync('gcc', ['-O2', '-o', C_PROGRAM, cSource])
  const address = nicAddress('e1000e')
  await using _binding = await bindDriver(address, 'vfio-pci')
  const output = execFileSync(process.execPath, [program, address, C_PROGRAM, String(ROUNDS)], { encoding: 'utf8' })
  const times = JSON.parse(output) as Record<'C' | 'window' | 'register' | 'array', number[]>
  const ratios = Object.entries(times).map(([name, values]) => {
    const ratio = quartile(values) / quartile(times.C)
    console.log(`${name}: ${quartile(values).toFixed(1)} ns a read, ${ratio.toFixed(3)}x`)
    return ratio
  })
  expect(ratios).toHaveLength(4)
  expect(Math.max(...ratios)).toBeLessThanOrEqual(MOST)
})
