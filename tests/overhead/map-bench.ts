import { type BackendName, Domain } from '@openbar/iommu'
import { closeFd, MappedMemory, openFd } from '@openbar/linux'
import { Device } from '@openbar/vfio'

// The counterpart of map-bench.c, by `domain.map` and `domain.unmap`, as a process of its own:
// map-bench.ts BACKEND ADDRESS FILE SIZE ROUNDS CHUNKS
// The device has to be bound to vfio-pci. It prints the nanoseconds of each chunk of ROUNDS rounds.

const IOVA = 0x1000_0000
const PAGE = 4096
/** V8 compiles what is on the way with the last of its compilers after some 12,000 rounds. */
const WARM_UP_ROUNDS = 30_000

const [backend, address = '', path = '', ...counts] = process.argv.slice(2)
const [size = 0, rounds = 0, chunks = 0] = counts.map(Number)

function mapFile(bytes: number): MappedMemory {
  const file = openFd<'file'>(path)
  try {
    return MappedMemory.fromFd(file, { offset: 0, size: bytes, readable: true, writable: true, what: path })
  } finally {
    closeFd(file)
  }
}

await using domain = await Domain.open({ backend: backend as BackendName })
await using _device = await Device.open(address, { domain })

// Domain and memory stand where C has its own: in a function's arguments, not in variables of a module.
function run(domain: Domain, memory: MappedMemory, count: number): void {
  for (let round = 0; round < count; round += 1) domain.unmap(domain.map(memory, { iova: IOVA }))
}

run(domain, mapFile(PAGE), WARM_UP_ROUNDS)
const memory = mapFile(size)
run(domain, memory, 1)
for (let chunk = 0; chunk < chunks; chunk += 1) {
  const start = process.hrtime.bigint()
  run(domain, memory, rounds)
  console.log(String(process.hrtime.bigint() - start))
}
