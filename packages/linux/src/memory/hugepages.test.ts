import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { type HugepageSize, hugepageBytes, hugepages } from './hugepages.ts'
import { noHugepagesError } from './no-hugepages-error.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const root = temporaryDirectory()

function pool(size: number, counts: Record<string, string>): void {
  const directory = join(root, `hugepages-${size / 1024}kB`)
  mkdirSync(directory, { recursive: true })
  for (const [name, text] of Object.entries(counts)) writeFileSync(join(directory, name), `${text}\n`)
}

describe('hugepages', () => {
  test('reads the pool of a size', () => {
    pool(2 * MIB, { nr_hugepages: '16', free_hugepages: '9', resv_hugepages: '4' })
    expect(hugepages(2 * MIB, root)).toEqual({ total: 16, free: 9, reserved: 4 })
  })

  test('takes a count below zero, which the kernel shows as nearly 2^64, for none', () => {
    pool(2 * MIB, { nr_hugepages: '16', free_hugepages: '9', resv_hugepages: '18446744073709551614' })
    expect(hugepages(2 * MIB, root)).toEqual({ total: 16, free: 9, reserved: 0 })
  })

  test('knows no pool of a size that the system has not', () => {
    expect(hugepages(GIB, root)).toBeUndefined()
    expect(hugepages(3, root)).toBeUndefined()
  })

  test('refuses a pool that holds something else', () => {
    pool(GIB, { nr_hugepages: 'many', free_hugepages: '0', resv_hugepages: '0' })
    expect(thrownBy(() => hugepages(GIB, root)).code).toBe('ERR_SYSCALL')
  })
})

describe('hugepageBytes', () => {
  test('knows both sizes', () => {
    expect([hugepageBytes('2MiB'), hugepageBytes('1GiB')]).toEqual([2 * MIB, GIB])
  })

  test.each(['2MB', 'toString', '', 2 * MIB])('refuses %j', (size) => {
    expect(thrownBy(() => hugepageBytes(size as HugepageSize))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'hugepages', value: size },
    })
  })
})

describe('noHugepagesError', () => {
  const refusal = { syscall: 'mmap', errno: 12 }

  test('says how many 2 MiB pages are free, and reserves what is missing on top of what is in use', () => {
    const error = noHugepagesError(10 * MIB, 2 * MIB, refusal, { total: 16, free: 5, reserved: 3 })
    expect(error).toMatchObject({
      code: 'ERR_NO_HUGEPAGES',
      context: { pageSize: 2 * MIB, need: 5, free: 2, total: 16 },
      ...refusal,
    })
    expect(error.message).toBe(
      '5 hugepages of 2 MiB cannot be had: 2 of 16 are free. Reserve them as root: sysctl vm.nr_hugepages=19, or ' +
        'echo 19 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages.',
    )
  })

  test('names the boot parameters for 1 GiB pages', () => {
    const error = noHugepagesError(GIB, GIB, refusal, { total: 1, free: 0, reserved: 0 })
    expect(error.message).toMatch(/^1 hugepage of 1 GiB cannot be had: 0 of 1 are free\./)
    expect(error.hint).toContain('echo 2 > /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages')
    expect(error.hint).toContain('boot with hugepagesz=1G hugepages=2.')
  })

  test('names the limits when enough pages are free', () => {
    const error = noHugepagesError(2 * MIB, 2 * MIB, refusal, { total: 4, free: 4, reserved: 0 })
    expect(error.message).toContain('although 4 of 4 are free')
    expect(error.hint).toContain('hugetlb.2MB.max')
  })
})
