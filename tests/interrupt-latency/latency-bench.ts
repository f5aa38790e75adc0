import { Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'

// The counterpart of latency-bench.c, by a vector's callback, as a process of its own: latency-bench.ts ADDRESS ROUNDS
// The device has to be bound to vfio-pci. It prints the nanoseconds of each round.

const ICS = 0x00c8
const IMS = 0x00d0
const EIAC = 0x00dc
const IVAR = 0x00e4
const RXQ0 = 1 << 20
const RXQ0_TO_VECTOR_0 = 1 << 3
/** V8 has compiled by then what is on the way. */
const WARM_UP_ROUNDS = 300

const [address = '', rounds = '0'] = process.argv.slice(2)

await using domain = await Domain.open({ backend: 'type1' })
await using device = await Device.open(address, { domain })
const bar0 = device.bar(0).map()
device.config.command.busMasterEnable = true
const [vector] = device.interrupts.enable('msix').vectors
bar0.write32(IVAR, RXQ0_TO_VECTOR_0)
bar0.write32(EIAC, RXQ0)

const latencies: bigint[] = []
const { promise, resolve, reject } = Promise.withResolvers<void>()
let start = 0n
const raise = () => {
  // Each delivery clears it.
  bar0.write32(IMS, RXQ0)
  start = process.hrtime.bigint()
  bar0.write32(ICS, RXQ0)
}
using _subscription = vector.subscribe(() => {
  latencies.push(process.hrtime.bigint() - start)
  if (latencies.length === WARM_UP_ROUNDS + Number(rounds)) resolve()
  else setTimeout(raise, 1)
}, reject)
raise()
await promise
console.log(latencies.slice(WARM_UP_ROUNDS).join('\n'))
