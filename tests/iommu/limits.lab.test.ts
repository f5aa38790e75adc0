import type { Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
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

describe.each(translating(backends))('many mappings on %s', (backend) => {
  const { mappingLimit } = differencesOf(backend)

  it(`takes ${mappingLimit ?? MANY} mappings, and devices reach the first and the last`, async () => {
    const T=[performance.now()];
    await using opened = await openDevice('e1000e', backend)
    const { device, domain } = opened
    const bar0 = device.bar(0).map()
    const memory = MappedMemory.anonymous(PAGES * PAGE)
    const pages = Array.from({ length: PAGES }, (_, page) => ({ address: memory.address + BigInt(page * PAGE), size: PAGE }))
    const mapNumber = (index: number) => domain.map(pages[index % PAGES]!, { iova: BASE + index * PAGE })
    const ring = (index: number) => ({
      iova: BigInt(BASE + index * PAGE),
      words: new Uint32Array(memory.buffer, (index % PAGES) * PAGE, PAGE / 4),
    })
    const fits = mappingLimit ?? MANY
    T.push(performance.now())
    for (let index = 0; index < fits; index += 1) mapNumber(index)
    T.push(performance.now())
    for (const index of [0, fits >> 1, fits - 1]) expect(reaches(device, bar0, ring(index)), `${index}`).toBe(true)
    expect(reaches(device, bar0, ring(fits))).toBe(false)
    T.push(performance.now())
    if (mappingLimit !== undefined) {
      const error = await errorOf('ERR_MAPPING_LIMIT', () => mapNumber(fits))
      expect(error.context.limit).toBe(mappingLimit)
      expect(`${error.message} ${error.hint}`).toMatch(/65535|dma_entry_limit/)
      // Nothing has changed: one goes, and one fits again.
      expect(domain.unmap({ iova: BASE + 12_345 * PAGE, size: PAGE })).toBe(PAGE)
      mapNumber(fits)
      expect(reaches(device, bar0, ring(fits))).toBe(true)
      expect(reaches(device, bar0, ring(12_345))).toBe(false)
      await errorOf('ERR_MAPPING_LIMIT', () => mapNumber(12_345))
    }
    T.push(performance.now())
    expect(domain.snapshot().mappings).toHaveLength(fits)
    T.push(performance.now())
    await device.close()
    T.push(performance.now())
    domain.close()
    T.push(performance.now())
    memory.revoke()
    console.log(T.slice(1).map((t,i)=>(t-T[i]!).toFixed(0)).join(' '))
  })
})
