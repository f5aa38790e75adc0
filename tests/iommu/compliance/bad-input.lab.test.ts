import { readFileSync } from 'node:fs'
import { type DmaAccess, Domain, type MapOptions, type MappableMemory } from '@openbar/iommu'
import { type ErrorCode, MappedMemory } from '@openbar/linux'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { differencesOf, translating } from '../../support/backend-differences.ts'
import { backends } from '../../support/backends.ts'
import { type Child, startChild } from '../../support/child.ts'
import { errorOf } from '../../support/error-of.ts'
import { foreignPages, ownPages } from '../../support/process-maps.ts'
import { processState } from '../../support/process-state.ts'
import { shareDevice } from '../../support/shared-device.ts'

const PAGE = 4096
const MAPPED = 0x1000_0000
const FREE = 0x2000_0000
const END = 2n ** 64n

let memory: MappedMemory
let closed: MappedMemory
let child: Child
beforeAll(async () => {
  memory = MappedMemory.anonymous(4 * PAGE)
  closed = MappedMemory.anonymous(PAGE)
  closed.revoke()
  child = await startChild('console.log("here")')
})
afterAll(async () => {
  await child[Symbol.asyncDispose]()
  memory.revoke()
})

interface Case {
  readonly code: ErrorCode
  readonly memory?: () => unknown
  readonly iova?: unknown
  readonly access?: unknown
}

const part = (offset: number, size: number) => () => ({ address: memory.address + offset, size })

/** What `map` refuses alike with and without a device. */
const maps: Readonly<Record<string, Case>> = {
  'an IOVA inside a page': { code: 'ERR_IOVA_ALIGNMENT', iova: FREE + 1 },
  'an IOVA inside a page, as a bigint': { code: 'ERR_IOVA_ALIGNMENT', iova: BigInt(FREE) + 2048n },
  'a large IOVA inside a page, which a double would round to one': {
    code: 'ERR_IOVA_ALIGNMENT',
    iova: 2n ** 60n + 1n,
  },
  'a negative IOVA': { code: 'ERR_INVALID_ARGUMENT', iova: -PAGE },
  'a negative IOVA, as a bigint': { code: 'ERR_INVALID_ARGUMENT', iova: -4096n },
  'a fraction as IOVA': { code: 'ERR_INVALID_ARGUMENT', iova: 0.5 },
  'NaN as IOVA': { code: 'ERR_INVALID_ARGUMENT', iova: Number.NaN },
  'an infinite IOVA': { code: 'ERR_INVALID_ARGUMENT', iova: Number.POSITIVE_INFINITY },
  'an IOVA of 2^64': { code: 'ERR_INVALID_ARGUMENT', iova: END },
  'an IOVA above 2^64': { code: 'ERR_INVALID_ARGUMENT', iova: END * 4096n },
  'a number beyond the safe ones as IOVA': { code: 'ERR_INVALID_ARGUMENT', iova: 2 ** 60 },
  'no IOVA': { code: 'ERR_INVALID_ARGUMENT', iova: undefined },
  'text as IOVA': { code: 'ERR_INVALID_ARGUMENT', iova: '0x20000000' },
  'a range past 2^64': { code: 'ERR_IOVA_RANGE', iova: END - BigInt(PAGE), memory: part(0, 2 * PAGE) },
  'no bytes': { code: 'ERR_INVALID_ARGUMENT', memory: part(0, 0) },
  'a negative size': { code: 'ERR_INVALID_ARGUMENT', memory: part(0, -PAGE) },
  'a fraction as size': { code: 'ERR_INVALID_ARGUMENT', memory: part(0, 4096.5) },
  'NaN as size': { code: 'ERR_INVALID_ARGUMENT', memory: part(0, Number.NaN) },
  'a bigint as size': { code: 'ERR_INVALID_ARGUMENT', memory: () => ({ address: memory.address, size: 4096n }) },
  'a size that is no whole page': { code: 'ERR_IOVA_ALIGNMENT', memory: part(0, PAGE + 1) },
  'a size below a page': { code: 'ERR_IOVA_ALIGNMENT', memory: part(0, 512) },
  'memory inside a page': { code: 'ERR_IOVA_ALIGNMENT', memory: part(16, PAGE) },
  'memory at a negative address': { code: 'ERR_INVALID_ARGUMENT', memory: () => ({ address: -4096, size: PAGE }) },
  'memory at a fraction': { code: 'ERR_INVALID_ARGUMENT', memory: () => ({ address: 4096.5, size: PAGE }) },
  'memory at 2^64': { code: 'ERR_INVALID_ARGUMENT', memory: () => ({ address: END, size: PAGE }) },
  'the same range again': { code: 'ERR_IOVA_IN_USE', iova: MAPPED, memory: part(0, 4 * PAGE) },
  'the first page of a mapping': { code: 'ERR_IOVA_IN_USE', iova: MAPPED },
  'the last page of a mapping': { code: 'ERR_IOVA_IN_USE', iova: MAPPED + 3 * PAGE },
  'the end of a mapping, and more': { code: 'ERR_IOVA_IN_USE', iova: MAPPED + 3 * PAGE, memory: part(0, 2 * PAGE) },
  'the start of a mapping, from before': {
    code: 'ERR_IOVA_IN_USE',
    iova: MAPPED - PAGE,
    memory: part(0, 2 * PAGE),
  },
  'unknown rights': { code: 'ERR_INVALID_ARGUMENT', access: 'execute' },
  'no rights': { code: 'ERR_INVALID_ARGUMENT', access: '' },
  'closed memory': { code: 'ERR_CLOSED', memory: () => closed },
  'an ArrayBuffer': { code: 'ERR_MEMORY_KIND', memory: () => new ArrayBuffer(PAGE) },
  'a SharedArrayBuffer': { code: 'ERR_MEMORY_KIND', memory: () => new SharedArrayBuffer(PAGE) },
  'a typed array': { code: 'ERR_MEMORY_KIND', memory: () => new Uint8Array(PAGE) },
  'a Buffer': { code: 'ERR_MEMORY_KIND', memory: () => Buffer.alloc(PAGE) },
  'a DataView': { code: 'ERR_MEMORY_KIND', memory: () => new DataView(new ArrayBuffer(PAGE)) },
  // The memory of `MappedMemory` itself has to be given, not a view of it.
  'the ArrayBuffer of mapped memory': { code: 'ERR_MEMORY_KIND', memory: () => memory.buffer },
  'no memory': { code: 'ERR_INVALID_ARGUMENT', memory: () => undefined },
  null: { code: 'ERR_INVALID_ARGUMENT', memory: () => null },
  'a number as memory': { code: 'ERR_INVALID_ARGUMENT', memory: () => memory.address },
  'page 0 of this process': { code: 'ERR_MEMORY_KIND', memory: () => ({ address: 0, size: PAGE }) },
  'an address of another process': { code: 'ERR_MEMORY_KIND', memory: () => foreignPages(child.pid, PAGE) },
  'an address of another process, for reading': {
    code: 'ERR_MEMORY_KIND',
    access: 'read',
    memory: () => foreignPages(child.pid, PAGE),
  },
  'an address that no process can have': { code: 'ERR_MEMORY_KIND', memory: () => ({ address: 2 ** 47, size: PAGE }) },
  'memory that ends in a hole': { code: 'ERR_MEMORY_KIND', memory: () => ownPages('before a hole', 2 * PAGE) },
  'pages that may be read, for a device that writes': {
    code: 'ERR_MEMORY_KIND',
    access: 'write',
    memory: () => ownPages('r--p', PAGE),
  },
  'pages that nobody may touch': { code: 'ERR_MEMORY_KIND', access: 'read', memory: () => ownPages('---p', PAGE) },
}

/** What `unmap` refuses. */
const unmaps: Readonly<Record<string, { code: ErrorCode; range: unknown }>> = {
  'nothing there': { code: 'ERR_NOT_MAPPED', range: { iova: FREE, size: PAGE } },
  'a part': { code: 'ERR_NOT_MAPPED', range: { iova: MAPPED, size: PAGE } },
  'no bytes': { code: 'ERR_INVALID_ARGUMENT', range: { iova: MAPPED, size: 0 } },
  'a negative size': { code: 'ERR_INVALID_ARGUMENT', range: { iova: MAPPED, size: -PAGE } },
  'a fraction as size': { code: 'ERR_INVALID_ARGUMENT', range: { iova: MAPPED, size: 0.5 } },
  'NaN as size': { code: 'ERR_INVALID_ARGUMENT', range: { iova: MAPPED, size: Number.NaN } },
  'a bigint as size': { code: 'ERR_INVALID_ARGUMENT', range: { iova: MAPPED, size: 4096n } },
  'a negative IOVA': { code: 'ERR_INVALID_ARGUMENT', range: { iova: -1, size: PAGE } },
  'NaN as IOVA': { code: 'ERR_INVALID_ARGUMENT', range: { iova: Number.NaN, size: PAGE } },
  'an IOVA of 2^64': { code: 'ERR_INVALID_ARGUMENT', range: { iova: END, size: PAGE } },
  'a range past 2^64 with nothing in it': {
    code: 'ERR_NOT_MAPPED',
    range: { iova: END - BigInt(PAGE), size: 2 * PAGE },
  },
}

/** Keeps a domain as it is over a call that is refused. */
async function refuses(domain: Domain, code: ErrorCode, call: () => unknown): Promise<void> {
  const before = [domain.snapshot(), processState()]
  await errorOf(code, call)
  expect([domain.snapshot(), processState()]).toEqual(before)
}

function itRefusesAll(reach: () => Domain): void {
  it.each(Object.entries(maps))('refuses to map: %s', async (_name, bad) => {
    const domain = reach()
    const given = (bad.memory === undefined ? part(0, PAGE)() : bad.memory()) as MappableMemory
    const iova = ('iova' in bad ? bad.iova : FREE) as MapOptions['iova']
    const options = bad.access === undefined ? { iova } : { iova, access: bad.access as DmaAccess }
    await refuses(domain, bad.code, () => domain.map(given, options))
  })

  it.each(Object.entries(unmaps))('refuses to unmap: %s', async (_name, { code, range }) => {
    const domain = reach()
    await refuses(domain, code, () => domain.unmap(range as { iova: number; size: number }))
  })

  it.each([
    ['no bytes', 0, {}],
    ['NaN as size', Number.NaN, {}],
    ['a fraction as size', 0.5, {}],
    ['an alignment that is no power of two', PAGE, { align: 3 * PAGE }],
    ['a negative limit', PAGE, { maxIova: -1 }],
    ['unknown hugepages', PAGE, { hugepages: '4MiB' }],
    ['a word for true', PAGE, { shared: 'yes' }],
  ] as const)('refuses to allocate: %s', async (_name, size, options) => {
    const domain = reach()
    await refuses(domain, 'ERR_INVALID_ARGUMENT', () => domain.allocate(size, options as object))
  })

  it('refuses to allocate where something is mapped', async () => {
    const domain = reach()
    await refuses(domain, 'ERR_IOVA_IN_USE', () => domain.allocate(PAGE, { iova: MAPPED }))
  })

  it('maps after all of that', () => {
    const domain = reach()
    expect(domain.unmap(domain.map(memory, { iova: FREE, access: 'read' }))).toBe(memory.size)
  })
}

describe.each(translating(backends))('bad input on %s', (backend) => {
  describe('before the first device', () => {
    let domain: Domain
    beforeAll(async () => {
      domain = await Domain.open({ backend })
      domain.map(memory, { iova: MAPPED })
    })
    afterAll(() => domain.close())
    itRefusesAll(() => domain)

    it('knows whether it knows its ranges', () => {
      expect(domain.snapshot().ranges !== undefined).toBe(differencesOf(backend).rangesWithoutDevice)
    })
  })

  describe('with a device', () => {
    const shared = shareDevice(backend)
    beforeEach(() => {
      shared.domain.map(memory, { iova: MAPPED })
    })
    afterEach(() => {
      expect(shared.domain.unmapAll()).toBe(memory.size)
    })
    itRefusesAll(() => shared.domain)

    it.each([
      ['the interrupt window', 0xfee0_0000n],
      ['the end of the interrupt window', 0xfeef_f000n],
      ['the page before it, and its first', 0xfedf_f000n],
      ['its last page, and the one behind', 0xfeef_f000n],
    ])('refuses %s, and lists the ranges', async (_name, iova) => {
      const { domain } = shared
      const size = 2 * PAGE
      const map = () => domain.map({ address: memory.address, size }, { iova })
      await refuses(domain, 'ERR_IOVA_RANGE', map)
      const { context } = await errorOf('ERR_IOVA_RANGE', map)
      expect(context).toEqual({ iova, size: BigInt(size), ranges: domain.snapshot().ranges })
    })

    it('refuses what the IOMMU does not reach', async () => {
      const { domain } = shared
      const last = domain.snapshot().ranges?.at(-1)?.last ?? 0n
      await refuses(domain, 'ERR_IOVA_RANGE', () => domain.map(memory, { iova: last + 1n - BigInt(PAGE) }))
      if (last + BigInt(PAGE) >= END) return
      await refuses(domain, 'ERR_IOVA_RANGE', () => domain.map(part(0, PAGE)(), { iova: last + 1n }))
    })
  })

  it('refuses everything once it is closed, but snapshot and close', async () => {
    const domain = await Domain.open({ backend })
    const other = await Domain.open({ backend })
    const mapping = domain.map(memory, { iova: MAPPED })
    domain.close()
    const before = [domain.snapshot(), other.snapshot(), processState()]
    for (const call of [
      () => domain.map(memory, { iova: MAPPED }),
      () => domain.unmap(mapping),
      () => domain.unmap({ iova: MAPPED, size: PAGE }),
      () => domain.unmapAll(),
      () => domain.allocate(PAGE),
      () => domain.pickIova(PAGE),
      () => domain.mapFrom(other, mapping, { iova: 0 }),
      () => other.mapFrom(domain, mapping, { iova: 0 }),
      () => other.moveGroup(1, domain),
      () => domain.dirtyTracking,
      () => domain.iommufd,
    ]) {
      const error = await errorOf('ERR_CLOSED', call)
      expect(error.context.what).toBe('domain')
    }
    domain.close()
    expect([domain.snapshot(), other.snapshot(), processState()]).toEqual(before)
    other.close()
  })
})

it('has tried addresses that are not in this process', () => {
  const own = readFileSync('/proc/self/maps', 'utf8')
  expect(own).not.toContain(`${foreignPages(child.pid, PAGE).address.toString(16)}-`)
})
