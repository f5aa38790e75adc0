import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { type BackendName, Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'

/** What a process holds. Sizes in KiB. */
export interface Footprint {
  /** What each open file descriptor refers to, sorted. */
  readonly files: readonly string[]
  readonly locked: number
  readonly pinned: number
  /** Memory of its own that is in RAM: what is resident but for files, such as Node's code, which comes in page by page. */
  readonly resident: number
  /** Objects of JavaScript that are alive. */
  readonly heap: number
  /** Pieces that the address space consists of. */
  readonly areas: number
}

/** What a process held before and after its rounds. */
export interface RoundsReport {
  readonly before: Footprint
  readonly during: Footprint
  readonly after: Footprint
  readonly milliseconds: number
}

const PAGE = 4096
const SIZE = 16 * PAGE
const IOVA = 0x1000_0000

// Runs as a process of its own: rounds-program.ts BACKEND ADDRESS ADDRESS-OF-A-DEVICE-THAT-RESETS WARM-UP-ROUNDS ROUNDS
const [backend, address = '', slowAddress = '', warmUp, rounds] = process.argv.slice(2)
const memory = MappedMemory.anonymous(SIZE)

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('node --expose-gc')
  globalThis.gc()
}

function footprint(): Footprint {
  for (let count = 0; count < 4; count += 1) collect()
  const status = readFileSync('/proc/self/status', 'utf8')
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1])
  const files = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`).replace(/\d{3,}/, 'N')]
    } catch {
      return [] // The directory itself, which is closed by now.
    }
  })
  return {
    files: files.sort(),
    ...{ locked: kibibytes('VmLck'), pinned: kibibytes('VmPin'), resident: kibibytes('RssAnon') },
    heap: Math.ceil(process.memoryUsage().heapUsed / 1024),
    areas: readFileSync('/proc/self/maps', 'utf8').split('\n').length,
  }
}

/** Opens a domain and a device in it, maps and allocates, and takes everything back. */
async function round(device: string, look?: () => void): Promise<void> {
  await using domain = await Domain.open({ backend: backend as BackendName })
  await using _device = await Device.open(device, { domain })
  const mapping = domain.map(memory, { iova: IOVA })
  const buffer = domain.allocate(SIZE)
  buffer.u32.fill(1)
  look?.()
  domain.unmap(mapping)
  buffer.close()
}

/** One round in a hundred is on the device that resets, which makes it take eight times as long. */
async function doRounds(count: number): Promise<void> {
  for (let index = 1; index <= count; index += 1) {
    await round(index % 100 === 0 ? slowAddress : address)
    // As in any program: Node gives the memory behind a detached buffer back between turns of the event loop only.
    await turn()
    // Else garbage would spread the heap over more and more pages, which are not what is looked for.
    if (index % 100 === 0) collect()
  }
}

await doRounds(Number(warmUp))
const before = footprint()
let during = before
await round(address, () => {
  during = footprint()
})
const start = performance.now()
await doRounds(Number(rounds))
const milliseconds = performance.now() - start
console.log(JSON.stringify({ before, during, after: footprint(), milliseconds } satisfies RoundsReport))
