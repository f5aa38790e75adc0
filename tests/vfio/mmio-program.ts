import { execFileSync } from 'node:child_process'
import { bindRegisters, Device, defineRegisters, type RegisterWindow } from '@openbar/vfio'

// What reading a register takes, in C and in JavaScript, in turn: mmio-program.ts ADDRESS C_PROGRAM ROUNDS
// The device is an 82574L, bound to vfio-pci. Prints one object of JSON: for each way, the nanoseconds of a read in each round.

const STATUS = 0x0008
const READS = 20_000
/** V8 compiles what is on the way with the last of its compilers after some of them. */
const WARM_UPS = 60
const CALLS = 2

const nic = defineRegisters({ STATUS: { offset: STATUS, access: 'ro', description: 'Status' } })

function bind(window: RegisterWindow) {
  return bindRegisters(nic, window)
}

function byWindow(window: RegisterWindow): number {
  let sum = 0
  for (let count = 0; count < READS; count += 1) sum ^= window.read32(STATUS)
  return sum
}

function byRegister(regs: ReturnType<typeof bind>): number {
  let sum = 0
  for (let count = 0; count < READS; count += 1) sum ^= regs.STATUS.read()
  return sum
}

function byArray(words: Uint32Array): number {
  let sum = 0
  for (let count = 0; count < READS; count += 1) sum ^= words[STATUS >> 2]!
  return sum
}

function nanosecondsOf(run: () => number): number {
  const start = process.hrtime.bigint()
  for (let call = 0; call < CALLS; call += 1) run()
  return Number(process.hrtime.bigint() - start)
}

const [address = '', cProgram = '', rounds = ''] = process.argv.slice(2)
await using device = await Device.open(address)
const window = device.bar(0).map()
const regs = bind(window)
const { u32 } = window
for (let warmUp = 0; warmUp < WARM_UPS; warmUp += 1) {
  byWindow(window)
  byRegister(regs)
  byArray(u32)
}
const cArguments = [`/sys/bus/pci/devices/${address}/resource0`, String(STATUS), String(READS * CALLS)]
const inC = () => Number(execFileSync(cProgram, cArguments, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
const times = { C: [], window: [], register: [], array: [] } as Record<string, number[]>
// In turn, so that what else the machine does meets all of them alike.
for (let round = 0; round < Number(rounds); round += 1) {
  times['C']?.push(inC() / READS / CALLS)
  times['window']?.push(nanosecondsOf(() => byWindow(window)) / READS / CALLS)
  times['register']?.push(nanosecondsOf(() => byRegister(regs)) / READS / CALLS)
  times['array']?.push(nanosecondsOf(() => byArray(u32)) / READS / CALLS)
}
console.log(JSON.stringify(times))
