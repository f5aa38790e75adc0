import { bindRegisters, Device, defineRegisters, type RegisterWindow, traceRegisters } from '@openbar/vfio'

// What bound registers cost against bare arrays, as a process of its own: register-bench.ts ADDRESS
// The device is an 82574L, bound to vfio-pci. Prints a line of JSON for each loop: its name, and nanoseconds for each round.

const ROUNDS = 20_000
const WARM_UPS = 12

const STATUS = 0x0008
/** Receive descriptor base, high: holds whatever is written, and does nothing while the receiver is off (82574 10.2.5). */
const RDBAH = 0x2804
const TDBAH = 0x3804

const nic = defineRegisters({
  CTRL: { offset: 0x0000, access: 'rw', description: 'Control' },
  STATUS: { offset: STATUS, access: 'ro', description: 'Status', fields: { LU: { bit: 1, description: 'Link up' } } },
  ICR: { offset: 0x00c0, access: 'rcw1c', description: 'Interrupt causes' },
  RDBAH: { offset: RDBAH, access: 'rw', description: 'Receive descriptor base, high' },
  TDBAH: { offset: TDBAH, access: 'rw', description: 'Transmit descriptor base, high' },
  MTA: { offset: 0x5200, count: 128, access: 'rw', description: 'Multicast table' },
})

function bind(window: RegisterWindow) {
  return bindRegisters(nic, window)
}
type Registers = ReturnType<typeof bind>
type Words = Uint32Array

/** Loops over the bare array. Each has its counterpart below. */
const bare = {
  read(words: Words): number {
    let sum = 0
    for (let round = 0; round < ROUNDS; round += 1) sum ^= words[STATUS >> 2]!
    return sum
  },
  test(words: Words): number {
    let up = 0
    for (let round = 0; round < ROUNDS; round += 1) up += (words[STATUS >> 2]! & 2) >>> 1
    return up
  },
  update(words: Words): number {
    for (let round = 0; round < ROUNDS; round += 1) words[RDBAH >> 2] = words[RDBAH >> 2]! ^ round
    return 0
  },
  several(words: Words): number {
    let sum = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      words[RDBAH >> 2] = round
      words[TDBAH >> 2] = round + 1
      sum = (sum + words[STATUS >> 2]! + words[RDBAH >> 2]! - words[TDBAH >> 2]!) | 0
    }
    return sum
  },
  write(words: Words): number {
    for (let round = 0; round < ROUNDS; round += 1) words[RDBAH >> 2] = round
    return 0
  },
}

const bound: Record<keyof typeof bare, (regs: Registers) => number> = {
  read(regs) {
    let sum = 0
    for (let round = 0; round < ROUNDS; round += 1) sum ^= regs.STATUS.read()
    return sum
  },
  test(regs) {
    let up = 0
    for (let round = 0; round < ROUNDS; round += 1) up += (regs.STATUS.read() & nic.STATUS.LU) >>> 1
    return up
  },
  update(regs) {
    for (let round = 0; round < ROUNDS; round += 1) regs.RDBAH.write(regs.RDBAH.read() ^ round)
    return 0
  },
  several(regs) {
    let sum = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      regs.RDBAH.write(round)
      regs.TDBAH.write(round + 1)
      sum = (sum + regs.STATUS.read() + regs.RDBAH.read() - regs.TDBAH.read()) | 0
    }
    return sum
  },
  write(regs) {
    for (let round = 0; round < ROUNDS; round += 1) regs.RDBAH.write(round)
    return 0
  },
}

/** The same once more, for a table that was traced before: code of its own, as another part of a program would be. */
const afterTrace: typeof bound = {
  ...bound,
  read(regs) {
    let sum = 0
    for (let round = 0; round < ROUNDS; round += 1) sum ^= regs.STATUS.read()
    return sum
  },
  update(regs) {
    for (let round = 0; round < ROUNDS; round += 1) regs.RDBAH.write(regs.RDBAH.read() ^ round)
    return 0
  },
}

/** A read in the window's own method. */
function windowRead(window: RegisterWindow): number {
  let sum = 0
  for (let round = 0; round < ROUNDS; round += 1) sum ^= window.read32(STATUS)
  return sum
}

function effectRead(regs: Registers): number {
  let sum = 0
  for (let round = 0; round < ROUNDS; round += 1) sum ^= regs.ICR.read()
  return sum
}

function measure<Over>(name: string, loop: (over: Over) => number, over: Over): void {
  for (let round = 0; round < WARM_UPS; round += 1) loop(over)
  const start = process.hrtime.bigint()
  const result = loop(over)
  const nanoseconds = Number(process.hrtime.bigint() - start) / ROUNDS
  console.log(JSON.stringify({ name, nanoseconds, result }))
}

const [address = ''] = process.argv.slice(2)
await using device = await Device.open(address)
const window = device.bar(0).map()
const regs = bind(window)
// As in a real program: many registers, used from many places, and one window that was taken away before.
device.bar(0).map().close()
for (const register of regs.MTA) register.write(register.read() & 0)

const names = Object.keys(bare) as (keyof typeof bare)[]
for (const name of names) {
  measure(`bare ${name}`, bare[name], window.u32)
  measure(`bound ${name}`, bound[name], regs)
}
measure('window read', windowRead, window)
measure('effect read', effectRead, regs)

let told = 0
{
  using _trace = traceRegisters(regs, () => {
    told += 1
  })
  for (const register of regs.MTA) register.write(register.read())
  regs.STATUS.read()
  regs.RDBAH.write(regs.RDBAH.read())
}
console.log(JSON.stringify({ name: 'told', nanoseconds: 0, result: told }))
measure('untraced read', afterTrace.read, regs)
measure('untraced update', afterTrace.update, regs)
measure('bound read again', bound.read, regs)
measure('bound update again', bound.update, regs)
