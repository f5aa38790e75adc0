import { execFileSync } from 'node:child_process'
import { bindRegisters, defineRegisters, type RegisterWindow } from '@openbar/vfio'
import { expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { openDevice } from '../support/open-device.ts'

const STATUS = 0x0008
const READS = 40_000
const ROUNDS = process.env['OPENBAR_FULL'] === '1' ? 15 : 7
/** What a read in JavaScript may cost, in time, against one in C. */
const MOST = 1.2
const C_PROGRAM = '/tmp/mmio-bench'

const nic = defineRegisters({ STATUS: { offset: STATUS, access: 'ro', description: 'Status' } })

function byWindow(window: RegisterWindow): number {
  let sum = 0
  for (let count = 0; count < READS; count += 1) sum = (sum + window.read32(STATUS)) | 0
  return sum
}

function byRegister({ STATUS: register }: { readonly STATUS: { read(): number } }): number {
  let sum = 0
  for (let count = 0; count < READS; count += 1) sum = (sum + register.read()) | 0
  return sum
}

function byArray(words: Uint32Array): number {
  let sum = 0
  for (let count = 0; count < READS; count += 1) sum = (sum + words[STATUS / 4]!) | 0
  return sum
}

function nanosecondsOf(run: () => unknown): number {
  const start = process.hrtime.bigint()
  run()
  return Number(process.hrtime.bigint() - start)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

it('reads a register in at most 1.2 times the time of a C program: window, bound register and array', async () => {
  execFileSync('gcc', ['-O2', '-o', C_PROGRAM, new URL('mmio-bench.c', import.meta.url).pathname])
  await using opened = await openDevice('e1000e', backends[0]!)
  const { device } = opened
  const window = device.bar(0).map()
  const regs = bindRegisters(nic, window)
  const { u32 } = window
  const inC = () => {
    const args = [`/sys/bus/pci/devices/${device.address}/resource0`, String(STATUS), String(READS)]
    return Number(execFileSync(C_PROGRAM, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  }
  const ways = {
    C: inC,
    window: () => nanosecondsOf(() => byWindow(window)),
    register: () => nanosecondsOf(() => byRegister(regs)),
    array: () => nanosecondsOf(() => byArray(u32)),
  }
  const names = Object.keys(ways) as (keyof typeof ways)[]
  const times = { C: [], window: [], register: [], array: [] } as Record<keyof typeof ways, number[]>
  for (let warmUp = 0; warmUp < 3; warmUp += 1) for (const name of names) ways[name]()
  // In turn, so that what else this machine does meets all of them alike.
  for (let round = 0; round < ROUNDS; round += 1) for (const name of names) times[name].push(ways[name]() / READS)
  for (const name of names) {
    const ratio = median(times[name]) / median(times.C)
    console.log(`${name}: ${median(times[name]).toFixed(0)} ns a read, ${ratio.toFixed(3)}x`)
    expect(ratio).toBeLessThanOrEqual(MOST)
  }
})
