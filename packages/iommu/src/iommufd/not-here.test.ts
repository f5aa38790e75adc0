import { asFd, Errno } from '@openbar/linux'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { allowIovas } from './allow-iovas.ts'
import { copyMapping } from './copy-mapping.ts'
import { FaultQueue } from './fault-queue.ts'
import { iommufdFeatures } from './features.ts'
import { hardwareInfo } from './hardware-info.ts'
import { hugePages, rlimitMode, setHugePages, setRlimitMode } from './options.ts'
import { PageTable } from './page-table.ts'

const kernel = vi.hoisted(() => ({ answer: (_request: string): number => 0 }))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  tryIoctl: (_fd: number, { name }: { name: string }) => kernel.answer(name),
}))

vi.mock('./iova-ranges.ts', () => ({
  iovaRanges: () => ({ ranges: [{ start: 0n, last: 2n ** 64n - 1n }], alignment: 1n }),
}))

const fd = asFd<'iommufd'>(100)
const space = { fd, ioas: 1 }
const dirtyTable = () => PageTable.allocate(space, 3, { dirtyTracking: true })

describe('what a kernel does not know', () => {
  beforeEach(() => {
    kernel.answer = () => -Errno.ENOTTY
  })

  test.each([
    ['hardwareInfo', () => hardwareInfo(fd, 3), 'IOMMU_GET_HW_INFO'],
    ['PageTable.allocate', dirtyTable, 'IOMMU_HWPT_ALLOC'],
    ['FaultQueue.allocate', () => FaultQueue.allocate(space), 'IOMMU_FAULT_QUEUE_ALLOC'],
    ['allowIovas', () => allowIovas(space, []), 'IOMMU_IOAS_ALLOW_IOVAS'],
    ['copyMapping', () => copyMapping(fd, { from: 1, fromIova: 0, to: 2, toIova: 0, size: 4096 }), 'IOMMU_IOAS_COPY'],
    ['rlimitMode', () => rlimitMode(fd), 'IOMMU_OPTION'],
    ['setRlimitMode', () => setRlimitMode(fd, 'process'), 'IOMMU_OPTION'],
    ['hugePages', () => hugePages(space), 'IOMMU_OPTION'],
    ['setHugePages', () => setHugePages(space, false), 'IOMMU_OPTION'],
  ])('%s says that it is not here, and that the kernel lacks it', (_, call, request) => {
    const error = thrownBy(call)
    expect(error).toMatchObject({ code: 'ERR_NOT_SUPPORTED', errno: Errno.ENOTTY, syscall: `ioctl(${request})` })
    expect(error.message).toContain('This kernel has no')
    expect(error.hint).toMatch(/It came with Linux 6\.\d+/)
  })

  test('an older struct of a request that it knows is the kernel too', () => {
    kernel.answer = () => -Errno.E2BIG
    const error = thrownBy(dirtyTable)
    expect(error).toMatchObject({ code: 'ERR_NOT_SUPPORTED', context: { what: 'page table with dirty tracking' } })
    expect(error.message).toContain('This kernel has no page table with dirty tracking')
  })

  test('is told by iommufdFeatures without an error', () => {
    kernel.answer = (name) => (name === 'IOMMU_FAULT_QUEUE_ALLOC' ? -Errno.ENOTTY : -Errno.EINVAL)
    expect(iommufdFeatures(fd)).toMatchObject({ faultQueues: false, copy: true, pageTables: true })
  })

  test('is not told of a file that is no iommufd', () => {
    kernel.answer = () => -Errno.ENOTTY
    expect(thrownBy(() => iommufdFeatures(fd))).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.ENOTTY })
  })
})

test('what an IOMMU does not have is told of the IOMMU', () => {
  kernel.answer = () => -Errno.EOPNOTSUPP
  const error = thrownBy(dirtyTable)
  expect(error).toMatchObject({ code: 'ERR_NOT_SUPPORTED', errno: Errno.EOPNOTSUPP })
  expect(error.message).toContain('The IOMMU of device 3')
  expect(error.message).toContain('page table with dirty tracking')
})

describe('options', () => {
  test.each([
    ['EPERM', Errno.EPERM, 'ERR_PERMISSION'],
    ['EBUSY', Errno.EBUSY, 'ERR_DOMAIN_STATE'],
  ])('setRlimitMode says what %s means', (_, errno, code) => {
    kernel.answer = () => -errno
    expect(thrownBy(() => setRlimitMode(fd, 'process'))).toMatchObject({ code, errno })
  })

  test('setRlimitMode refuses other modes', () => {
    kernel.answer = () => 0
    expect(thrownBy(() => setRlimitMode(fd, 'group' as 'user')).code).toBe('ERR_INVALID_ARGUMENT')
  })
})

describe('what is refused before the kernel is asked', () => {
  beforeEach(() => {
    kernel.answer = (name) => {
      if (name !== 'IOMMU_HWPT_ALLOC') throw new Error(`${name} was asked`)
      return 0
    }
  })

  test.each([
    ['a range that ends before its start', [{ start: 0x2000, last: 0x1fff }]],
    ['a range of one byte, which the kernel does not take', [{ start: 0x2000, last: 0x2000 }]],
    [
      'ranges that overlap',
      [
        { start: 0x8000, last: 0x9fff },
        { start: 0x1000, last: 0x8000 },
      ],
    ],
  ])('allowIovas: %s', (_, ranges) => {
    expect(thrownBy(() => allowIovas(space, ranges))).toMatchObject({ context: { argument: 'ranges' } })
  })

  test('copyMapping: what goes past 2^64, no bytes, unknown rights', () => {
    const copy = { from: 1, fromIova: 0, to: 2, toIova: 0, size: 4096 }
    const end = 2n ** 64n - 4096n
    for (const wrong of [{ size: 0 }, { access: 'x' as 'read' }, { fromIova: end + 1n }, { toIova: end + 1n }]) {
      expect(thrownBy(() => copyMapping(fd, { ...copy, ...wrong })).code).toBe('ERR_INVALID_ARGUMENT')
    }
  })

  test('PageTable.allocate: a nested table with what only a parent can have, or without data', () => {
    const parent = PageTable.allocate(space, 3, { nestParent: true })
    const plain = PageTable.allocate(space, 3)
    const data = { type: 1, bytes: new Uint8Array(24) }
    const wrong = [
      [{ parent }, 'data'],
      [{ parent, data: { type: 1, bytes: new Uint8Array(0) } }, 'data'],
      [{ parent, data, nestParent: true }, 'nestParent'],
      [{ parent, data, dirtyTracking: true }, 'dirtyTracking'],
      [{ parent: plain, data }, 'parent'],
    ] as const
    for (const [options, argument] of wrong) {
      expect(thrownBy(() => PageTable.allocate(space, 3, options))).toMatchObject({ context: { argument } })
    }
    const elsewhere = { fd: asFd<'iommufd'>(101), ioas: 1 }
    expect(thrownBy(() => PageTable.allocate(elsewhere, 3, { parent, data }))).toMatchObject({
      context: { argument: 'parent' },
    })
  })

  test('PageTable: what the table was not allocated for', () => {
    const table = PageTable.allocate(space, 3)
    expect(thrownBy(() => table.setDirtyTracking(true)).code).toBe('ERR_DOMAIN_STATE')
    expect(thrownBy(() => table.dirtyPages(0, 4096)).code).toBe('ERR_DOMAIN_STATE')
    expect(thrownBy(() => table.invalidate({ type: 0, entries: [] })).code).toBe('ERR_DOMAIN_STATE')
  })
})
