import { describe, expect, test } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { MappedMemory } from './mapped-memory.ts'
import { PAGE_SIZE } from './page-size.ts'
import { frameAddress, physicalAddresses } from './physical-addresses.ts'

const PRESENT = 1n << 63n
const FILE = 1n << 61n
const SWAPPED = 1n << 62n
const EXCLUSIVE = 1n << 56n
const SOFT_DIRTY = 1n << 55n

describe('frameAddress', () => {
  test.each([0n, FILE, EXCLUSIVE, FILE | EXCLUSIVE, EXCLUSIVE | SOFT_DIRTY])(
    'takes the frame number alone, %#',
    (flags) => {
      expect(frameAddress(PRESENT | flags | 0x12345n, 0)).toBe(0x12345000n)
      expect(frameAddress(PRESENT | flags | ((1n << 40n) - 1n), 0)).toBe(0xf_ffff_ffff_f000n)
    },
  )

  test.each([0n, SWAPPED | 0x12345n, EXCLUSIVE | 0x12345n])('refuses a page that is not present, %#', (entry) => {
    const error = thrownBy(() => frameAddress(entry, 0x7000))
    expect(error).toMatchObject({ code: 'ERR_MEMORY_KIND', context: { kind: 'absent' } })
    expect(error.message).toContain('The page at 0x7000 is not present.')
  })

  test('says what right is missing when the frame numbers are hidden', () => {
    const error = thrownBy(() => frameAddress(PRESENT | EXCLUSIVE, 0x7000))
    expect(error).toMatchObject({ code: 'ERR_PERMISSION', context: { target: '/proc/self/pagemap' } })
    expect(error.message).toContain('CAP_SYS_ADMIN')
  })
})

describe('physicalAddresses', () => {
  test('answers one for each page, or says what right is missing', () => {
    const memory = MappedMemory.anonymous(4 * PAGE_SIZE)
    const addresses = () => physicalAddresses(memory.address, memory.size)
    if (process.getuid?.() === 0) {
      expect(new Set(addresses()).size).toBe(4)
      expect(addresses().every((address) => address > 0n && address % BigInt(PAGE_SIZE) === 0n)).toBe(true)
    } else {
      expect(thrownBy(addresses).code).toBe('ERR_PERMISSION')
    }
    memory.revoke()
  })

  test('refuses what is not there', () => {
    expect(thrownBy(() => physicalAddresses(0, PAGE_SIZE)).code).toBe('ERR_MEMORY_KIND')
    // Beyond the addresses that a process can have.
    expect(thrownBy(() => physicalAddresses(2 ** 52, PAGE_SIZE)).code).toBe('ERR_MEMORY_KIND')
    const memory = MappedMemory.anonymous(PAGE_SIZE)
    memory.revoke()
    expect(thrownBy(() => physicalAddresses(memory.address, PAGE_SIZE)).code).toBe('ERR_MEMORY_KIND')
  })

  test.each([1n, -4096, 4095, 4096.5, 2n ** 60n])('refuses the address %s', (address) => {
    expect(thrownBy(() => physicalAddresses(address, PAGE_SIZE))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'address' },
    })
  })

  test.each([0, 100, -PAGE_SIZE])('refuses %d bytes', (size) => {
    expect(thrownBy(() => physicalAddresses(0x1000n, size)).code).toBe('ERR_INVALID_ARGUMENT')
  })
})
