import type { MappedMemory } from '@openbar/linux'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { AllocateOptions } from './domain-options.ts'
import { makePhysicalMemory } from './physical-memory.ts'
import { END_OF_SPACE } from './span.ts'
import { thrownBy } from './testing/thrown-by.ts'

const MIB = 1024 * 1024
const HUGE = 2 * MIB
const GIB = 1024 * MIB
const PLACE = 0x1_2340_0000n

const kernel = vi.hoisted(() => ({ made: [] as object[], place: (): bigint => 0n, revoked: 0 }))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  MappedMemory: {
    anonymous: (size: number, options: object) => make('anonymous', size, options),
    memfd: (size: number, options: object) => make('memfd', size, options),
  },
  physicalAddresses: () => [kernel.place()],
}))

function make(kind: string, size: number, options: object): Pick<MappedMemory, 'address' | 'revoke'> {
  kernel.made.push({ kind, size, ...options })
  return {
    address: 0x7000_0000,
    revoke: () => {
      kernel.revoked += 1
    },
  }
}

beforeEach(() => {
  Object.assign(kernel, { made: [], place: () => PLACE, revoked: 0 })
})

describe('makePhysicalMemory', () => {
  test.each([
    [1, {}, { kind: 'anonymous', size: HUGE, hugepages: '2MiB' }],
    [HUGE, { hugepages: 'prefer' }, { kind: 'anonymous', size: HUGE, hugepages: '2MiB' }],
    [4096, { shared: true, align: HUGE }, { kind: 'memfd', size: HUGE, hugepages: '2MiB' }],
    [HUGE + 1, { hugepages: '1GiB' }, { kind: 'anonymous', size: GIB, hugepages: '1GiB' }],
  ] as const)('makes one hugepage of %i bytes, %o', (size, options, made) => {
    expect(makePhysicalMemory(size, options, END_OF_SPACE).address).toBe(PLACE)
    expect([kernel.made, kernel.revoked]).toEqual([[made], 0])
  })

  test.each<[string, number, AllocateOptions]>([
    ['ERR_NOT_SUPPORTED', HUGE + 1, {}],
    ['ERR_NOT_SUPPORTED', GIB + 1, { hugepages: '1GiB' }],
    ['ERR_NOT_SUPPORTED', 1, { iova: 0x1000 }],
    ['ERR_INVALID_ARGUMENT', 1, { align: 2 * HUGE }],
    ['ERR_INVALID_ARGUMENT', 1, { hugepages: '4KiB' as '2MiB' }],
    ['ERR_INVALID_ARGUMENT', 1, { shared: 1 as unknown as boolean }],
  ])('makes nothing, with %s, of %i bytes, %o', (code, size, options) => {
    expect(thrownBy(() => makePhysicalMemory(size, options, END_OF_SPACE)).code).toBe(code)
    expect(kernel.made).toEqual([])
  })

  test('gives a page back that ends behind what devices reach, and no other', () => {
    const end = Number(PLACE) + HUGE
    expect(makePhysicalMemory(1, {}, end).address).toBe(PLACE)
    expect(kernel.revoked).toBe(0)
    const error = thrownBy(() => makePhysicalMemory(1, {}, end - 4096))
    expect(error).toMatchObject({ code: 'ERR_IOVA_EXHAUSTED', context: { size: 1n } })
    expect(error.message).toContain('a hugepage at 0x123400000, beyond 0x1235fefff')
    expect(kernel.revoked).toBe(1)
  })

  test('gives the page back when nobody tells where it is', () => {
    const reason = new Error('hidden')
    kernel.place = () => {
      throw reason
    }
    expect(() => makePhysicalMemory(1, {}, END_OF_SPACE)).toThrow(reason)
    expect(kernel.revoked).toBe(1)
  })
})
