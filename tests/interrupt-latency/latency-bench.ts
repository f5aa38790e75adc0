import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'

// The counterpart of `latency-bench receive`, by a vector's callback, as a process of its own:
// latency-bench.ts PROGRAM ADDRESS ROUNDS
// PROGRAM is latency-bench, which raises the interrupts. The device has to be bound to vfio-pci. It prints the nanoseconds of each.

/** V8 has compiled by then what is on the way. */
const WARM_UP_ROUNDS = 300
/** Where the child finds the device's file. */
const CHILD_DEVICE = 3

const [program = '', address = '', rounds = '0'] = process.argv.slice(2)
const total = WARM_UP_ROUNDS + Number(rounds)

await using domain = await Domain.open({ backend: 'type1' })
await using device = await Device.open(address, { domain })
device.config.command.busMasterEnable = true
const [vector] = device.interrupts.enable('msi').vectors
const child = spawn(program, ['raise', `${CHILD_DEVICE}`, `${total}`], {
  stdio: ['pipe', 'pipe', 'inherit', device.attachment.fd],
})
const { stdin, stdout } = child
if (stdin === null || stdout === null) throw new Error('The child has no pipes.')
const raised = text(stdout)
const exited = once(child, 'exit')

const taken: bigint[] = []
using _subscription = vector.subscribe(() => {
  taken.push(process.hrtime.bigint())
  stdin.write('x')
})
stdin.write('x')
const lines = (await raised).trim().split('\n')
await exited
if (lines.length !== total || taken.length !== total) throw new Error(`${lines.length} raised, ${taken.length} taken`)
const latencies = taken.map((at, round) => at - BigInt(lines[round]!))
console.log(latencies.slice(WARM_UP_ROUNDS).join('\n'))
