import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import type { BackendName } from '@openbar/iommu'
import { bindDriver, readFunction } from '@openbar/pci'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { nicAddress } from '../support/nics.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** What a mapping in JavaScript may cost, in instructions of the guest, against the same in C. */
const BOUNDS = [
  { name: '4 KiB', size: 4 * KIB, rounds: 500, chunks: 11, most: 1.3 },
  { name: '2 MiB', size: 2 * MIB, rounds: 20, chunks: 7, most: 1.05 },
  { name: '256 MiB', size: 256 * MIB, rounds: 1, chunks: 3, most: 1.05 },
] as const
/** Huge pages: the least work for the kernel, so that what is added to it weighs most, and the same in every run. */
const HUGE_PAGES = 128
const HUGE_PAGES_FILE = '/proc/sys/vm/nr_hugepages'
const MEMORY_MOUNT = '/tmp/map-bench-memory'
const MEMORY = `${MEMORY_MOUNT}/file`
const C_PROGRAM = '/tmp/map-bench'
const cSource = new URL('map-bench.c', import.meta.url).pathname
const jsProgram = new URL('map-bench.ts', import.meta.url).pathname
const address = nicAddress('e1000e')

/** Runs a program that prints the nanoseconds of each chunk: in this guest, a nanosecond is an instruction. */
function instructions(
  file: string,
  args: readonly string[],
  { size, rounds, chunks }: (typeof BOUNDS)[number],
): number {
  const counts = [size, rounds, chunks].map(String)
  const output = execFileSync(file, [...args, MEMORY, ...counts], { encoding: 'utf8' })
  const sorted = output
    .trim()
    .split('\n')
    .map(Number)
    .sort((a, b) => a - b)
  expect(sorted).toHaveLength(chunks)
  return sorted[chunks >> 1]! / rounds
}

/** How the C program opens the device. */
function cArguments(backend: BackendName): string[] {
  if (backend === 'iommufd') {
    const [cdev] = readdirSync(`/sys/bus/pci/devices/${address}/vfio-dev`)
    return ['iommufd', `/dev/vfio/devices/${cdev}`]
  }
  const container = backend === 'iommufd-compat' ? '/dev/iommu' : '/dev/vfio/vfio'
  return ['type1', container, `/dev/vfio/${readFunction(address).iommuGroup}`, address]
}

const undo = new AsyncDisposableStack()
beforeAll(async () => {
  undo.use(await bindDriver(address, 'vfio-pci'))
  execFileSync('gcc', ['-O2', '-o', C_PROGRAM, cSource])
  writeFileSync(HUGE_PAGES_FILE, `${HUGE_PAGES}`)
  undo.defer(() => writeFileSync(HUGE_PAGES_FILE, '0'))
  expect(Number(readFileSync(HUGE_PAGES_FILE, 'utf8'))).toBe(HUGE_PAGES)
  mkdirSync(MEMORY_MOUNT, { recursive: true })
  execFileSync('mount', ['-t', 'hugetlbfs', 'none', MEMORY_MOUNT])
  undo.defer(() => void execFileSync('umount', [MEMORY_MOUNT]))
  writeFileSync(MEMORY, '')
  truncateSync(MEMORY, HUGE_PAGES * 2 * MIB)
})
afterAll(() => undo.disposeAsync())

describe.each(translating(backends))('mapping on %s, counted in instructions', (backend) => {
  it.each(BOUNDS)('costs at most $most times what it costs in C: $name', (bound) => {
    const c = instructions(C_PROGRAM, cArguments(backend), bound)
    const js = instructions(process.execPath, [jsProgram, backend, address], bound)
    console.log(`${backend}, ${bound.name}: C ${c.toFixed(0)}, JavaScript ${js.toFixed(0)}: ${(js / c).toFixed(3)}x`)
    expect(js / c).toBeLessThanOrEqual(bound.most)
  })
})
