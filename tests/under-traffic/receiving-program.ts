import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BackendName, Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'
import { RECEIVER_BYTES, startReceiver } from '../support/receiver.ts'

// Runs as a process of its own, which comes to a bad end: receiving-program.ts BACKEND ADDRESS END
// It says the file descriptor of the memory that its NIC writes to, once frames have come in. END is `wait` to be killed, else how it
// ends by itself: `throw`, `reject` or `exit`.

const [backend, address = '', end] = process.argv.slice(2)
const domain = await Domain.open({ backend: backend as BackendName })
const device = await Device.open(address, { domain })
const size = Math.ceil(RECEIVER_BYTES / 4096) * 4096
const memory = domain.allocate(size, { shared: true, maxIova: 0xffff_ffff })
const giveBack = startReceiver(device, device.bar(0).map(), memory.iova, memory.u32)

let received = 0
while (received < 8) {
  received += giveBack()
  await nextTurn()
}
process.stdout.write(`${memory.memory.fd}\n`)
const ends: Record<string, () => void> = {
  exit: () => process.exit(3),
  reject: () => void Promise.reject(new Error('The end.')),
  throw: () => {
    throw new Error('The end.')
  },
}
// Late enough for whoever started it to see it alive.
if (end !== undefined && ends[end] !== undefined) setTimeout(ends[end], 500)
for (;;) {
  giveBack()
  await nextTurn()
}
