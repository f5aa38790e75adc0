import { type BackendName, Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'

const IOVA = 0x1000_0000n

/** How much to measure: bytes of a mapping, rounds of map and unmap in a chunk, and chunks. */
export interface MapBench {
  readonly size: number
  readonly rounds: number
  readonly chunks: number
}

/** Nanoseconds of each chunk of `domain.map` and `domain.unmap`, on code that V8 has optimised. */
export async function mapBench(backend: BackendName, address: string, bench: MapBench): Promise<number[]> {
  await using domain = await Domain.open({ backend })
  await using _device = await Device.open(address, { domain })
  const memory = MappedMemory.anonymous(bench.size)
  const options = { iova: IOVA }
  const rounds = (count: number) => {
    for (let round = 0; round < count; round += 1) domain.unmap(domain.map(memory, options))
  }
  return Array.from({ length: bench.chunks }, () => {
    const start = process.hrtime.bigint()
    rounds(bench.rounds)
    return Number(process.hrtime.bigint() - start)
  })
}

const [backend, address, size, count, chunks] = process.argv.slice(2)
if (import.meta.main && backend !== undefined && address !== undefined) {
  const bench = { size: Number(size), rounds: Number(count), chunks: Number(chunks) }
  for (const nanoseconds of await mapBench(backend as BackendName, address, bench)) console.log(nanoseconds)
}
