import { Domain } from '@openbar/iommu'
import { MappedMemory, physicalAddresses } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { hugepagePool } from '../support/hugepage-pool.ts'
import { nicAddress } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const GIB = 1024 ** 3
const HUGE = 2 * 1024 ** 2

const kinds = [
  ['anonymous', () => MappedMemory.anonymous(GIB, { hugepages: '1GiB' })],
  ['memfd', () => MappedMemory.memfd(GIB, { hugepages: '1GiB' })],
] as const

describe.each(kinds)('a 1 GiB hugepage, %s', (_kind, make) => {
  it.each(backends)('is mapped on %s for a device, and gives everything back', async (backend) => {
    const round = async () => {
      await using domain = await Domain.open({ backend })
      await using _device = await Device.open(nicAddress('e1000e'), { domain, bind: true })
      const memory = make()
      expect([memory.pageSize, memory.address % GIB]).toEqual([GIB, 0])
      const bytes = new Uint8Array(memory.buffer)
      bytes[0] = 1
      bytes[GIB - 1] = 2
      expect(hugepagePool(GIB).free).toBe(0)
      const mapping = domain.map(memory, { iova: 0x1_0000_0000n })
      expect(domain.unmap(mapping)).toBe(GIB)
      memory.revoke()
      expect(hugepagePool(GIB)).toEqual({ total: 1, free: 1, reserved: 0 })
    }
    await round()
    const before = processState()
    await round()
    expect(processState()).toEqual(before)
  })

  it('lies in one piece of memory', () => {
    const memory = make()
    const [first = 0n] = physicalAddresses(memory.address, HUGE)
    const [last = 0n] = physicalAddresses(memory.address + GIB - 4096, 4096)
    expect([first % BigInt(GIB), last - first]).toEqual([0n, BigInt(GIB - 4096)])
    memory.revoke()
  })
})

describe.each(backends)('a buffer of 1 GiB on %s', (backend) => {
  it('is one hugepage, which the allocator places on its boundary and gives back', async () => {
    await using domain = await Domain.open({ backend })
    await using _device = await Device.open(nicAddress('e1000e'), { domain, bind: true })
    for (const options of [{}, { iova: 0x1_0000_0000n }]) {
      using buffer = domain.allocate(1, { ...options, hugepages: '1GiB' })
      expect([buffer.size, buffer.pageSize, buffer.iova % BigInt(GIB)]).toEqual([GIB, GIB, 0n])
      expect(domain.snapshot().pinnedBytes).toBe(GIB)
      buffer.bytes[GIB - 1] = 1
      await errorOf('ERR_DOMAIN_STATE', () => domain.unmap(buffer))
      await errorOf('ERR_NO_HUGEPAGES', () => domain.allocate(1, { hugepages: '1GiB' }))
    }
    expect(domain.snapshot().mappings).toEqual([])
    expect(hugepagePool(GIB)).toEqual({ total: 1, free: 1, reserved: 0 })
    const memory = MappedMemory.anonymous(GIB, { hugepages: '1GiB' })
    const mapping = domain.map(memory, { iova: domain.pickIova(GIB, { align: GIB }) })
    await errorOf('ERR_NOT_MAPPED', () => domain.unmap({ iova: mapping.iova, size: HUGE }))
    expect(domain.unmap(mapping)).toBe(GIB)
    memory.revoke()
  })
})

describe('more 1 GiB hugepages than there are', () => {
  it('are an error that names the boot parameter, and the one there is stays free', async () => {
    const error = await errorOf('ERR_NO_HUGEPAGES', () => MappedMemory.anonymous(2 * GIB, { hugepages: '1GiB' }))
    expect(error.context).toEqual({ pageSize: GIB, need: 2, free: 1, total: 1 })
    expect(error.hint).toContain('hugepagesz=1G hugepages=2')
    expect(hugepagePool(GIB)).toEqual({ total: 1, free: 1, reserved: 0 })
  })
})
