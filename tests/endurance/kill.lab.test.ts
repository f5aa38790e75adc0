import { setTimeout as sleep } from 'node:timers/promises'
import { type BackendName, Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { nicAddress } from '../support/nics.ts'
import { pinnedPages } from '../support/pinned-pages.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { reaches } from '../support/transmit.ts'
import { Victim } from './victim.ts'

const KILLS = process.env['OPENBAR_FULL'] === '1' ? 100 : 4
const SEED = Number(process.env['OPENBAR_SEED'] ?? Date.now() % 1_000_000)
const MINUTE = 60_000
const PAGE = 4096
/** More than half of the limit: a victim whose forerunner's memory is still accounted to their user fails. */
const LIMIT = 4 * 1024 * 1024
const KEPT = 600 * PAGE
const LONGEST_MS = 150
/** The 82540EM has no reset: its registers still hold a dead program's addresses. The 82574L is reset by the kernel. */
const addresses = [nicAddress('e1000'), nicAddress('e1000e')]

/** What the next program does, without a wait and without a second try. */
async function openAtOnce(backend: BackendName, address: string): Promise<void> {
  await using domain = await Domain.open({ backend })
  await using device = await Device.open(address, { domain })
  expect(device.config.command.busMasterEnable).toBe(false)
  const memory = MappedMemory.anonymous(PAGE)
  const { iova } = domain.map(memory, { iova: 0x7000_0000 })
  expect(reaches(device, device.bar(0).map(), { iova, words: new Uint32Array(memory.buffer) })).toBe(true)
  domain.close()
  memory.revoke()
}

describe.each(translating(backends))('a program killed at any moment, on %s', (backend) => {
  const bindings = new AsyncDisposableStack()
  beforeAll(async () => {
    for (const address of addresses) bindings.use(await bindDriver(address, 'vfio-pci'))
  })
  afterAll(() => bindings.disposeAsync())

  it(
    `leaves the device to the next one, and no memory pinned, ${KILLS} times`,
    async () => {
      console.log(`${backend}: OPENBAR_SEED=${SEED}`)
      const random = seededRandom(SEED)
      const addressOf = (round: number) => addresses[round % addresses.length]!
      await using victims = new AsyncDisposableStack()
      const start = (round: number) => victims.use(new Victim(backend, addressOf(round), KEPT, LIMIT))
      const ends = { ready: 0, open: 0, dma: 0 }
      const before = pinnedPages()
      let next = start(0)
      for (let round = 0; round < KILLS; round += 1) {
        const victim = next
        await victim.reached('ready')
        // Loading the next one takes longer than all else of a round.
        if (round + 1 < KILLS) next = start(round + 1)
        victim.begin()
        // In every other pair of rounds the moment may come while it is still opening.
        if (round % 4 < 2) await victim.reached('dma')
        await sleep(random() * LONGEST_MS)
        // The witness sees it; not to the page, while memory is mapped and unmapped all the time.
        if (victim.said.includes('dma')) expect(pinnedPages() - before).toBeGreaterThan(KEPT / PAGE / 2)
        expect(await victim.kill(), victim.said.join('\n')).toBe('SIGKILL')
        expect(pinnedPages(), `round ${round}`).toBe(before)
        await openAtOnce(backend, addressOf(round))
        ends[victim.said.at(-1) as keyof typeof ends] += 1
      }
      console.log(
        `${backend}: killed ${KILLS}: ${ends.ready} while opening, ${ends.open} before the first frame, ${ends.dma} during DMA`,
      )
      expect(ends.ready + ends.open + ends.dma).toBe(KILLS)
      expect(ends.dma).toBeGreaterThanOrEqual(KILLS / 2)
    },
    20 * MINUTE,
  )
})
