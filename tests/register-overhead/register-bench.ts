import { setTimeout as sleep } from 'node:timers/promises'
import { bindRegisters, Device, defineRegisters, type RegisterWindow, traceRegisters } from '@openbar/vfio'

// What bound registers cost against bare arrays, as a process of its own: register-bench.ts ADDRESS fresh|revoked
// The device is an 82574L, bound to vfio-pci. Prints a line of JSON for each loop: its name, and nanoseconds for each round.
// `revoked`: as in a program that runs for long, a window was taken away before. From then on, all code with typed arrays looks
// whether their buffer is still there. (So it does in a program that Node strips of types: that detaches buffers too.)

const ROUNDS = 20_000
const WARM_UPS = 12

const STATUS = 0x0008
/** Receive descriptor base, high: holds whatever is written, and does nothing while the receiver is off (82574 10.2.5). */
const RDBAH = 0x2804
const TDBAH = 0x3804
const MTA = 0x5200

const nic = defineRegisters({
  CTRL: { offset: 0x0000, access: 'rw', description: 'Control' },
  STATUS: { offset: STATUS, access: 'ro', description: 'Status', fields: { LU: { bit: 1, description: 'Link up' } } },
  ICR: { offset: 0x00c0, access: 'rcw1c', description: 'Interrupt causes' },
  RDBAH: { offset: RDBAH, access: 'rw', description: 'Receive descriptor base, high' },
  TDBAH: { offset: TDBAH, access: 'rw', description: 'Transmit descriptor base, high' },
  MTA: { offset: MTA, count: 128, access: 'rw', description: 'Multicast table' },
})

function bind(window: RegisterWindow) {
  return bindRegisters(nic, window)
}
type Registers = ReturnType<typeof bind>
type Words = Uint32Array

/** Loops over the bare array. Each has its counterpart below. */
const bare = {
  read(words: Words, rounds: number): number {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) sum ^= words[STATUS >> 2]!
    return sum
  },
  test(words: Words, rounds: number): number {
    let up = 0
    for (let round = 0; round < rounds; round += 1) up += (words[STATUS >> 2]! & 2) >>> 1
    return up
  },
  update(words: Words, rounds: number): number {
    for (let round = 0; round < rounds; round += 1) words[RDBAH >> 2] = words[RDBAH >> 2]! ^ round
    return 0
  },
  several(words: Words, rounds: number): number {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) {
      words[RDBAH >> 2] = round
      words[TDBAH >> 2] = round + 1
      sum = (sum + words[STATUS >> 2]! + words[RDBAH >> 2]! - words[TDBAH >> 2]!) | 0
    }
    return sum
  },
  write(words: Words, rounds: number): number {
    for (let round = 0; round < rounds; round += 1) words[RDBAH >> 2] = round
    return 0
  },
  sum(words: Words, rounds: number): number {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) sum += words[RDBAH >> 2]!
    return sum
  },
  drop(words: Words, rounds: number): number {
    for (let round = 0; round < rounds; round += 1) words[STATUS >> 2]
    return 0
  },
  fixed(words: Words): number {
    for (let round = 0; round < ROUNDS; round += 1) words[RDBAH >> 2] = round
    return 0
  },
  // One place that meets many registers.
  many(words: Words, rounds: number): number {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) sum ^= words[(MTA >> 2) + (round & 127)]!
    return sum
  },
}

const bound: Record<keyof typeof bare, (regs: Registers, rounds: number) => number> = {
  read(regs, rounds) {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) sum ^= regs.STATUS.read()
    return sum
  },
  test(regs, rounds) {
    let up = 0
    for (let round = 0; round < rounds; round += 1) up += (regs.STATUS.read() & nic.STATUS.LU) >>> 1
    return up
  },
  update(regs, rounds) {
    for (let round = 0; round < rounds; round += 1) regs.RDBAH.write(regs.RDBAH.read() ^ round)
    return 0
  },
  several(regs, rounds) {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) {
      regs.RDBAH.write(round)
      regs.TDBAH.write(round + 1)
      sum = (sum + regs.STATUS.read() + regs.RDBAH.read() - regs.TDBAH.read()) | 0
    }
    return sum
  },
  write(regs, rounds) {
    for (let round = 0; round < rounds; round += 1) regs.RDBAH.write(round)
    return 0
  },
  sum(regs, rounds) {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) sum += regs.RDBAH.read()
    return sum
  },
  drop(regs, rounds) {
    for (let round = 0; round < rounds; round += 1) regs.STATUS.read()
    return 0
  },
  fixed(regs) {
    for (let round = 0; round < ROUNDS; round += 1) regs.RDBAH.write(round)
    return 0
  },
  many(regs, rounds) {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) sum ^= regs.MTA.at(round & 127).read()
    return sum
  },
}

/** The same once more, for a table that was traced before: code of its own, as another part of a program would be. */
const afterTrace: typeof bound = {
  ...bound,
  read(regs, rounds) {
    let sum = 0
    for (let round = 0; round < rounds; round += 1) sum ^= regs.STATUS.read()
    return sum
  },
  update(regs, rounds) {
    for (let round = 0; round < rounds; round += 1) regs.RDBAH.write(regs.RDBAH.read() ^ round)
    return 0
  },
}

/** A read in the window's own method. */
function windowRead(window: RegisterWindow, rounds: number): number {
  let sum = 0
  for (let round = 0; round < rounds; round += 1) sum ^= window.read32(STATUS)
  return sum
}

function windowWrite(window: RegisterWindow, rounds: number): number {
  for (let round = 0; round < rounds; round += 1) window.write32(RDBAH, round)
  return 0
}

function effectRead(regs: Registers, rounds: number): number {
  let sum = 0
  for (let round = 0; round < rounds; round += 1) sum ^= regs.ICR.read()
  return sum
}

async function measure<Over>(name: string, loop: (over: Over, rounds: number) => number, over: Over): Promise<void> {
  // V8 compiles on another thread, and takes what that made when it is given the time.
  for (let warmUp = 0; warmUp < WARM_UPS; warmUp += 1) {
    for (let call = 0; call < 8; call += 1) loop(over, ROUNDS)
    await sleep(20)
  }
  const start = process.hrtime.bigint()
  const result = loop(over, ROUNDS)
  const nanoseconds = Number(process.hrtime.bigint() - start) / ROUNDS
  console.log(JSON.stringify({ name, nanoseconds, result }))
}

const [address = '', state = ''] = process.argv.slice(-2)
await using device = await Device.open(address)
const window = device.bar(0).map()
const regs = bind(window)
if (state === 'revoked') device.bar(0).map().close()
// As in a real program: many registers, used from many places.
for (const register of regs.MTA) register.write(register.read() & 0)

const names = Object.keys(bare) as (keyof typeof bare)[]
for (const name of names) {
  await measure(`bare ${name}`, bare[name], window.u32)
  await measure(`bound ${name}`, bound[name], regs)
}
await measure('window read', windowRead, window)
await measure('window write', windowWrite, window)
await measure('effect read', effectRead, regs)

// 100 registers of two tables, each read and written in a place of its own: the code is made by what starts this one.
declare const sites: {
  bare: (words: Words, rounds: number) => number
  bound: (regs: readonly unknown[], rounds: number) => number
}
const others = bindRegisters(defineRegisters({ MTA: { ...nic.MTA.definition, count: 64 } }), window)
const hundred = [...others.MTA, ...regs.MTA].slice(0, 100)
await measure('bare sites', sites.bare, window.u32)
await measure('bound sites', sites.bound, hundred)

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
await measure('untraced read', afterTrace.read, regs)
await measure('untraced update', afterTrace.update, regs)
await measure('bound read again', bound.read, regs)
await measure('bound update again', bound.update, regs)
