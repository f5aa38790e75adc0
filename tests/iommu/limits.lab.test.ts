import { type InclusiveRange, MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { differencesOf, translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openDevice } from '../support/open-device.ts'
import { reaches } from '../support/transmit.ts'

const PAGE = 4096
const BASE = 0x1000_0000
const MANY = 65_536
/** Pages of memory behind all the mappings: each is mapped a thousand times. */
const PAGES = 64
const MSI_WINDOW: InclusiveRange = { start: 0xfee0_0000n, last: 0xfeef_ffffn }
const MAX_IOVA = 0xffff_ffff_ffff_ffffn

describe.each(translating(backends))('the limits of a domain on %s', (backend) => {
  const { mappingLimit } = differencesOf(backend)
  const fits = mappingLimit ?? MANY

  it(`takes ${fits} mappings, and devices reach the first and the last`, async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device, domain } = opened
    const bar0 = device.bar(0).map()
    const memory = MappedMemory.anonymous(PAGES * PAGE)
    const pages = Array.from({ length: PAGES }, (_, page) => ({
      address: memory.address + page * PAGE,
      size: PAGE,
      words: new Uint32Array(memory.buffer, page * PAGE, PAGE / 4),
    }))
    const mapNumber = (index: number) => domain.map(pages[index % PAGES]!, { iova: BASE + index * PAGE })
    const reachesNumber = (index: number) =>
      reaches(device, bar0, { iova: BigInt(BASE + index * PAGE), words: pages[index % PAGES]!.words })

    for (let index = 0; index < fits; index += 1) mapNumber(index)
    expect(domain.snapshot().mappings).toHaveLength(fits)
    for (const index of [0, fits >> 1, fits - 1]) expect(reachesNumber(index), `mapping ${index}`).toBe(true)
    expect(reachesNumber(fits)).toBe(false)
    if (mappingLimit !== undefined) {
      const error = await errorOf('ERR_MAPPING_LIMIT', () => mapNumber(fits))
      expect(error.context).toEqual({ limit: mappingLimit })
      expect(error.hint).toContain('dma_entry_limit')
      expect(domain.snapshot().mappings).toHaveLength(fits)
      // Nothing has changed: one goes, one comes, and then it is full again.
      expect(domain.unmap({ iova: BASE + 12_345 * PAGE, size: PAGE })).toBe(PAGE)
      expect(reachesNumber(12_345)).toBe(false)
      mapNumber(fits)
      expect(reachesNumber(fits)).toBe(true)
      await errorOf('ERR_MAPPING_LIMIT', () => mapNumber(12_345))
    }
    await device.close()
    domain.close()
    memory.revoke()
  })

  it('maps up to the last page of the aperture, and says where it ends', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device, domain } = opened
    const bar0 = device.bar(0).map()
    const memory = MappedMemory.anonymous(2 * PAGE)
    const first = { address: memory.address, size: PAGE }
    const ranges = domain.snapshot().ranges ?? []
    const end = ranges.at(-1)!.last
    const lastPage = end - BigInt(PAGE - 1)
    const mapping = domain.map(first, { iova: lastPage })
    expect(reaches(device, bar0, { iova: lastPage, words: new Uint32Array(memory.buffer, 0, PAGE / 4) })).toBe(true)
    domain.unmap(mapping)
    const beyond = [{ iova: lastPage, memory }, ...(end === MAX_IOVA ? [] : [{ iova: end + 1n, memory: first }])]
    for (const { iova, memory } of beyond) {
      const error = await errorOf('ERR_IOVA_RANGE', () => domain.map(memory, { iova }))
      expect(error.context.ranges).toEqual(ranges)
      expect(error.message).toContain(`-0x${end.toString(16)}`)
    }
    expect(domain.snapshot().mappings).toEqual([])
    memory.revoke()
  })

  it('leaves the interrupt window alone, from either side and inside, and maps what touches it', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { domain } = opened
    const memory = MappedMemory.anonymous(2 * PAGE)
    const first = { address: memory.address, size: PAGE }
    const { start, last } = MSI_WINDOW
    for (const iova of [start - BigInt(PAGE), start, start + 0x8_0000n, last + 1n - BigInt(PAGE)]) {
      await errorOf('ERR_IOVA_RANGE', () => domain.map(memory, { iova }))
    }
    expect(domain.snapshot().mappings).toEqual([])
    for (const iova of [start - BigInt(PAGE), last + 1n]) domain.map(first, { iova })
    expect(domain.snapshot().mappings).toHaveLength(2)
    memory.revoke()
  })
})
