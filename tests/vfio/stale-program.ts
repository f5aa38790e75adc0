import { createHmac, randomFillSync, scrypt } from 'node:crypto'
import { openSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { deflate, type ZlibOptions } from 'node:zlib'
import { type BackendName, Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'

// Keeps stale references of every kind, takes the memory away in a given way, and uses them: stale-program.ts BACKEND ADDRESS TRIGGER
// The device is bound to vfio-pci. Prints one line of JSON, if it lives.

const STATUS = 0x8
/** Receive address 0: it can be written and read back, and means nothing while nothing is received. */
const SCRATCH = 0x5400
const KEPT = 0x1234_5678

const [backend, address = '', trigger = ''] = process.argv.slice(2)
const domain = await Domain.open({ backend: backend as BackendName })
const device = await Device.open(address, { domain })

type Trigger = () => void | Promise<void>
const triggers: Readonly<Record<string, Trigger>> = {
  'close the window': () => bar0.close(),
  'close the device': () => device.close(),
  'unset the domain': () => device.unsetDomain(),
  'memory decoding off': () => {
    device.config.command.memorySpaceEnable = false
  },
  reset: () => device.reset(),
  D3hot: () => {
    device.power.enter('D3hot')
  },
  'close device and domain': async () => {
    await device.close()
    domain.close()
  },
}

const bar0 = device.bar(0).map()
bar0.write32(SCRATCH, KEPT)
const buffer = domain.allocate(1024 * 1024)
randomFillSync(buffer.bytes)

// A window's arrays, views of its buffer, and a buffer that was stolen; the same of DMA memory.
const { u8, u32 } = bar0
const view = new DataView(u32.buffer)
const second = device.bar(0).map()
const stolen = new Uint32Array(second.u32.buffer.transfer())
const memory = buffer.u32
const lent = domain.allocate(4096)
const stolenMemory = new Uint32Array(lent.u32.buffer.transfer())

// Another thread, at work on the registers and the memory while they go.
const loop = new Worker(
  `const { parentPort, workerData } = require('node:worker_threads')
  Promise.all([import('@openbar/vfio'), import('@openbar/linux')]).then(([{ openSharedWindow }, { MappedMemory }]) => {
    const window = openSharedWindow(workerData.registers)
    const words = window.u32
    const memory = MappedMemory.fromShared(workerData.memory)
    const ours = new Uint32Array(memory.buffer)
    parentPort.postMessage('looping')
    let bad = 0
    let code
    for (let reads = 0; code === undefined; reads += 1) {
      try { if (window.read32(${STATUS}) === 0) bad += 1 } catch (error) { code = error.code }
      Atomics.add(ours, 0, 1)
    }
    for (let count = 0; count < 10000; count += 1) {
      words[${SCRATCH / 4}] = count
      Atomics.add(ours, 0, 1)
    }
    parentPort.postMessage({ bad, code })
  })`,
  { eval: true, workerData: { registers: bar0.share(), memory: buffer.memory.share() } },
)
const messages: unknown[] = []
let wake = () => {}
loop.on('message', (message) => {
  messages.push(message)
  wake()
})
const next = async () => {
  while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve))
  return messages.shift()
}
await next()

// Calls of Node's that hold the addresses, more than its threads can do at once.
// zlib looks at its input again after each chunk that it has made, and throws what nobody can catch when it was detached: one is enough.
const whole = { chunkSize: 2 * buffer.size }
const deflated = promisify<Uint8Array, ZlibOptions, Buffer>(deflate)
const null0 = openSync('/dev/null', 'w')
const registers = u8.subarray(0, 64 * 1024)
const pending = Promise.allSettled([
  ...Array.from({ length: 4 }, () => deflated(buffer.bytes, whole)),
  ...Array.from({ length: 4 }, () => deflated(registers, whole)),
  ...Array.from({ length: 4 }, () => promisify(scrypt)(buffer.bytes.subarray(0, 4096), buffer.bytes, 16)),
  ...[registers, buffer.bytes].map((bytes) => promisify(write)(null0, bytes)),
])

await triggers[trigger]!()
second.close()
if (trigger === 'close device and domain' || trigger === 'close the window') {
  buffer.close()
  lent.close()
}

const lengths = [u8.length, u32.length, trigger.startsWith('close device and') ? memory.length : 0]
let dataView = 'read'
try {
  view.getUint32(STATUS, true)
} catch (error) {
  dataView = error instanceof TypeError ? 'TypeError' : String(error)
}
let atomics = 'read'
try {
  Atomics.load(u32, STATUS / 4)
} catch (error) {
  atomics = error instanceof TypeError || error instanceof RangeError ? 'thrown' : String(error)
}
const harmless = stolen[STATUS / 4]
for (let index = 0; index < stolen.length; index += 1) stolen[index] = 0xdead_beef
for (let index = 0; index < stolenMemory.length; index += 1) Atomics.store(stolenMemory, index, 1)
createHmac('sha256', 'key').update(Buffer.from(stolen.buffer)).digest()
const worker = await next()
const settled = await pending

// The device as it is now, seen through a new window.
let kept: number | undefined
if (!device.closed) {
  if (trigger === 'unset the domain') device.setDomain(domain)
  if (trigger === 'D3hot') device.power.enter('D0')
  device.config.command.memorySpaceEnable = true
  using again = device.bar(0).map()
  kept = again.read32(SCRATCH)
}
await device.close()
domain.close()
await loop.terminate()
const poisoned = kept === 0xdead_beef
console.log(JSON.stringify({ lengths, dataView, atomics, harmless, worker, calls: settled.length, poisoned }))
