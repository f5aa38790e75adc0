import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { Domain } from '@openbar/iommu'
import { asFd, MappedMemory, PAGE_SIZE, physicalAddresses } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { hugepagePool, setHugepages } from '../support/hugepage-pool.ts'
import { nicAddress } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const HUGE = 2 * 1024 * 1024
const POOL = 8
const SHM_FILE = '/dev/shm/openbar-memory-test'
const HUGE_FILE = '/dev/hugepages/openbar-memory-test'

beforeAll(() => setHugepages(POOL))
afterAll(() => setHugepages(0))

/** Each kind of memory: how it is made, and how many bytes it has. A file is removed as soon as it is mapped. */
const kinds: readonly (readonly [name: string, make: () => MappedMemory])[] = [
  ['plain pages', () => MappedMemory.anonymous(16 * PAGE_SIZE)],
  ['transparent hugepages', () => MappedMemory.anonymous(2 * HUGE)],
  ['2 MiB hugepages', () => MappedMemory.anonymous(2 * HUGE, { hugepages: '2MiB' })],
  ['a memfd', () => MappedMemory.memfd(16 * PAGE_SIZE)],
  ['a memfd of 2 MiB hugepages', () => MappedMemory.memfd(2 * HUGE, { hugepages: '2MiB' })],
  ['a file on tmpfs', () => fromNewFile(SHM_FILE, 16 * PAGE_SIZE)],
  ['a file on hugetlbfs', () => fromNewFile(HUGE_FILE, 2 * HUGE)],
  ["another process's memfd", () => fromOtherMemory(MappedMemory.memfd(16 * PAGE_SIZE))],
  ["another process's memfd of hugepages", () => fromOtherMemory(MappedMemory.memfd(HUGE, { hugepages: '2MiB' }))],
]

function fromNewFile(path: string, size: number): MappedMemory {
  writeFileSync(path, '')
  try {
    truncateSync(path, size)
    return MappedMemory.fromFile(path)
  } finally {
    rmSync(path)
  }
}

function fromOtherMemory(memory: ReturnType<typeof MappedMemory.memfd>): MappedMemory {
  try {
    return MappedMemory.fromMemoryFd(memory.fd)
  } finally {
    memory.revoke()
  }
}

/** What a test must leave as it found it. */
function state() {
  const files = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).match(/memfd|openbar-memory-test/) ?? []
    } catch {
      return []
    }
  })
  return { ...processState(), memory: files, pool: hugepagePool(HUGE) }
}

/** What smaps says in kB of the mapping that begins at an address. */
function smaps(address: number, field: string): number {
  const text = readFileSync('/proc/self/smaps', 'utf8')
  const start = text.indexOf(`${address.toString(16)}-`)
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text.slice(start))?.[1])
}

describe.each(backends)('memory on %s', (backend) => {
  it.each(kinds)('maps %s for a device, and gives everything back', async (_name, make) => {
    const round = async () => {
      await using domain = await Domain.open({ backend })
      await using _device = await Device.open(nicAddress('e1000e'), { domain, bind: true })
      const memory = make()
      new Uint8Array(memory.buffer).fill(0x5a)
      const mapping = domain.map(memory, { iova: 0x4000_0000 })
      expect(domain.snapshot().pinnedBytes).toBe(memory.size)
      expect(domain.unmap(mapping)).toBe(memory.size)
      memory.revoke()
    }
    await round()
    const before = state()
    expect(before.pool).toEqual({ total: POOL, free: POOL, reserved: 0 })
    await round()
    expect(state()).toEqual(before)
  })

  it('keeps hugepages that a device has mapped until they are unmapped, though the program let go of them', async () => {
    await using domain = await Domain.open({ backend })
    await using _device = await Device.open(nicAddress('e1000e'), { domain, bind: true })
    const memory = MappedMemory.anonymous(HUGE, { hugepages: '2MiB' })
    const mapping = domain.map(memory, { iova: 0x4000_0000 })
    memory.revoke()
    expect(hugepagePool(HUGE)).toEqual({ total: POOL, free: POOL - 1, reserved: 0 })
    // Newer kernels count the reservations below zero now; what is free must not be overstated for that.
    for (const make of [MappedMemory.anonymous, MappedMemory.memfd]) {
      const error = await errorOf('ERR_NO_HUGEPAGES', () => make(POOL * HUGE, { hugepages: '2MiB' }))
      expect(error.context).toMatchObject({ need: POOL, free: POOL - 1, total: POOL })
    }
    domain.unmap(mapping)
    expect(hugepagePool(HUGE)).toEqual({ total: POOL, free: POOL, reserved: 0 })
  })
})

describe('hugepages', () => {
  it('come zeroed, aligned and from the pool, and revoke gives them back at once', () => {
    const memory = MappedMemory.anonymous(3 * HUGE, { hugepages: '2MiB' })
    expect([memory.pageSize, memory.address % HUGE]).toEqual([HUGE, 0])
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true)
    expect(hugepagePool(HUGE)).toEqual({ total: POOL, free: POOL - 3, reserved: 0 })
    const kept = new Uint8Array(memory.buffer.transfer())
    memory.revoke()
    expect(hugepagePool(HUGE)).toEqual({ total: POOL, free: POOL, reserved: 0 })
    kept.fill(1)
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it.each([
    ['anonymous', () => MappedMemory.anonymous((POOL + 1) * HUGE, { hugepages: '2MiB' })],
    ['memfd', () => MappedMemory.memfd((POOL + 1) * HUGE, { hugepages: '2MiB' })],
    ['file', () => fromNewFile(HUGE_FILE, (POOL + 1) * HUGE)],
  ] as const)('too few for %s: an error before one is taken', async (_kind, make) => {
    const before = state()
    const error = await errorOf('ERR_NO_HUGEPAGES', make)
    expect(error.context).toEqual({ pageSize: HUGE, need: POOL + 1, free: POOL, total: POOL })
    expect(error.hint).toContain(`sysctl vm.nr_hugepages=${POOL + 1}`)
    expect(state()).toEqual(before)
  })

  it('counts what others have reserved as not free', async () => {
    const one = MappedMemory.anonymous(6 * HUGE, { hugepages: '2MiB' })
    const error = await errorOf('ERR_NO_HUGEPAGES', () => MappedMemory.memfd(3 * HUGE, { hugepages: '2MiB' }))
    expect(error.context).toMatchObject({ need: 3, free: 2, total: POOL })
    expect(error.hint).toContain(`sysctl vm.nr_hugepages=${POOL + 1}`)
    one.revoke()
  })

  it('a file must be mapped by whole hugepages', async () => {
    writeFileSync(HUGE_FILE, '')
    truncateSync(HUGE_FILE, 2 * HUGE)
    for (const options of [{ offset: PAGE_SIZE }, { size: PAGE_SIZE }, { offset: HUGE, size: 2 * HUGE }]) {
      await errorOf('ERR_INVALID_ARGUMENT', () => MappedMemory.fromFile(HUGE_FILE, options))
    }
    const memory = MappedMemory.fromFile(HUGE_FILE, { offset: HUGE })
    expect([memory.size, memory.pageSize]).toEqual([HUGE, HUGE])
    memory.revoke()
    rmSync(HUGE_FILE)
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it('a hole that another holder punches in a memfd shows zeros while the pool has a page', () => {
    const memory = MappedMemory.memfd(2 * HUGE, { hugepages: '2MiB' })
    const bytes = new Uint8Array(memory.buffer)
    bytes[0] = 1
    const file = `/proc/${process.pid}/fd/${memory.fd}`
    execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', String(HUGE), file])
    expect(bytes[0]).toBe(0)
    memory.revoke()
  })

  it('and is a bus error when it has none', () => {
    const { signal, stderr } = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { execFileSync } from 'node:child_process'
        import { MappedMemory } from '${import.meta.resolve('@openbar/linux')}'
        const memory = MappedMemory.memfd(${HUGE}, { hugepages: '2MiB' })
        const file = '/proc/' + process.pid + '/fd/' + memory.fd
        execFileSync('fallocate', ['--punch-hole', '--offset', '0', '--length', '${HUGE}', file])
        const others = MappedMemory.anonymous(${POOL * HUGE}, { hugepages: '2MiB' })
        new Uint8Array(memory.buffer)[0] = 1`,
      ],
      { encoding: 'utf8' },
    )
    expect({ signal, stderr }).toEqual({ signal: 'SIGBUS', stderr: '' })
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })
})

describe('transparent hugepages', () => {
  const setting = '/sys/kernel/mm/transparent_hugepage/enabled'
  const before = /\[(\w+)\]/.exec(readFileSync(setting, 'utf8'))?.[1] ?? ''
  afterAll(() => writeFileSync(setting, before))

  it.each([
    ['always', true],
    ['madvise', true],
    ['never', false],
  ])('set to %s: back anonymous memory from 2 MiB on: %s', (value, backed) => {
    writeFileSync(setting, value)
    for (const size of [HUGE, 4 * HUGE]) {
      const memory = MappedMemory.anonymous(size)
      expect(smaps(memory.address, 'Rss') * 1024).toBe(size)
      expect(smaps(memory.address, 'AnonHugePages') * 1024).toBe(backed ? size : 0)
      memory.revoke()
    }
  })
})

describe('physical addresses', () => {
  it('of a hugepage lie in one piece, on its boundary', () => {
    const memory = MappedMemory.anonymous(HUGE, { hugepages: '2MiB' })
    const addresses = physicalAddresses(memory.address, memory.size)
    const [first = 0n] = addresses
    expect(first % BigInt(HUGE)).toBe(0n)
    expect(addresses).toEqual(Array.from({ length: 512 }, (_, index) => first + BigInt(index * PAGE_SIZE)))
    memory.revoke()
  })

  it.each(kinds)('of %s are there for every page, and stay when it is written', (_name, make) => {
    const memory = make()
    const words = new BigUint64Array(memory.buffer)
    const addresses = physicalAddresses(memory.address, memory.size)
    expect(new Set(addresses).size).toBe(memory.size / PAGE_SIZE)
    expect(addresses.every((address) => address > 0n)).toBe(true)
    words[0] = 0x1234n
    expect(physicalAddresses(memory.address, memory.size)).toEqual(addresses)
    memory.revoke()
  })
})

describe('files that are not kept in memory', () => {
  it.each([
    ['9p', process.env['OPENBAR_LAB_OUT'] ?? '/nowhere'],
    ['overlay', '/tmp'],
  ])('on %s are refused, naming the file system', async (kind, directory) => {
    const path = `${directory}/openbar-memory-test`
    writeFileSync(path, new Uint8Array(PAGE_SIZE))
    const error = await errorOf('ERR_MEMORY_KIND', () => MappedMemory.fromFile(path))
    expect(error.context).toEqual({ kind })
    expect(error.message).toContain(`${path} cannot be mapped for DMA: it is on ${kind}`)
    const fd = asFd<'file'>(openSync(path, 'r'))
    await errorOf('ERR_MEMORY_KIND', () => MappedMemory.fromMemoryFd(fd))
    closeSync(fd)
    rmSync(path)
  })
})
