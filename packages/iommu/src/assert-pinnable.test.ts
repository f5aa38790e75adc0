import { MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { assertPinnable } from './assert-pinnable.ts'
import { thrownBy } from './testing/thrown-by.ts'

describe('assertPinnable', () => {
  it('lets pages of this process pass, by address and as an object', () => {
    const memory = MappedMemory.anonymous(8192)
    assertPinnable(memory, 'read-write')
    assertPinnable({ address: memory.address + 4096, size: 4096 }, 'write')
    memory.revoke()
  })

  it('refuses an address at which this process has nothing, and names it', () => {
    const error = thrownBy(() => assertPinnable({ address: 0x1000, size: 8192 }, 'read'))
    expect(error).toMatchObject({ code: 'ERR_MEMORY_KIND', context: { kind: 'unpinnable' } })
    expect(error.message).toContain('nothing is mapped at 0x1000')
  })

  it('leaves what is no whole page to the other checks', () => {
    assertPinnable({ address: 0x1001, size: 4096 }, 'read')
    assertPinnable({ address: 0x1000, size: 4095 }, 'read')
  })
})
