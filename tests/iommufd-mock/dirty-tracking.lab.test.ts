import { type DirtyRange, hardwareInfo, PageTable, PageTableDirtyTracking } from '@openbar/iommu'
import { Errno, MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, mapIn, openIommufd, unmapIn } from '../support/iommufd.ts'
import { MOCK_APERTURE, MOCK_DEVICE_NO_DIRTY, MOCK_PAGE, MockDevice, writePages } from '../support/iommufd-mock.ts'

const KIB = 1024
const PAGE = 4096
const START = MOCK_APERTURE.start
const LARGE = (process.env['OPENBAR_FULL'] === '1' ? 128 : 4) * KIB

/** A page table with dirty tracking, over memory that is mapped at the start of the aperture. */
function openTable(size: number) {
  const context = openIommufd()
  const space = allocateSpace(context.fd)
  const device = new MockDevice(context.fd, space.ioas)
  const memory = MappedMemory.anonymous(size)
  mapIn(space, memory, START)
  const table = PageTable.allocate(space, device.deviceId, { dirtyTracking: true })
  /** Has a device write pages of the mock, by their number. */
  const write = (...pages: number[]) => writePages(context.fd, table.id, START, pages)
  const close = () => {
    context[Symbol.dispose]()
    memory.revoke()
  }
  return { context, space, device, memory, table, write, [Symbol.dispose]: close }
}

/** The numbers of the pages in ranges. */
const pagesIn = (ranges: readonly DirtyRange[], pageSize = MOCK_PAGE) =>
  ranges.flatMap(({ iova, size }) => {
    const first = Number((iova - START) / BigInt(pageSize))
    return Array.from({ length: size / pageSize }, (_, page) => first + page)
  })

describe('dirty tracking on a page table', () => {
  // Less than a byte of bits, one byte, words of 32 and 64 bits, a tail behind whole words, and pages of bits.
  it.each([8, 16, 64, 128, 320, LARGE])('tells each page of %i KiB that was written, once', (kib) => {
    using lab = openTable(kib * KIB)
    const size = kib * KIB
    const count = size / MOCK_PAGE
    lab.table.setDirtyTracking(true)
    const read = () => pagesIn(lab.table.dirtyPages(START, size, { pageSize: MOCK_PAGE }))
    expect(read()).toEqual([])
    const even = Array.from({ length: count / 2 }, (_, page) => page * 2)
    expect(lab.write(...even)).toBe(even.length)
    expect(read()).toEqual(even)
    expect(read()).toEqual([])
    lab.write(count - 1)
    expect(read()).toEqual([count - 1])
  })

  it('tells pages again when they are kept, until they are read for good', () => {
    using lab = openTable(64 * KIB)
    lab.table.setDirtyTracking(true)
    lab.write(3, 4, 5, 30)
    const read = (keep: boolean) => pagesIn(lab.table.dirtyPages(START, 64 * KIB, { pageSize: MOCK_PAGE, keep }))
    for (const keep of [true, true, false]) expect(read(keep)).toEqual([3, 4, 5, 30])
    expect(read(false)).toEqual([])
  })

  it('joins pages that touch, and tells them in pages of the size that is asked for', () => {
    using lab = openTable(64 * KIB)
    lab.table.setDirtyTracking(true)
    lab.write(3, 4, 5, 30)
    const read = (pageSize?: number) =>
      lab.table.dirtyPages(START, 64 * KIB, { keep: true, ...(pageSize === undefined ? {} : { pageSize }) })
    expect(read(MOCK_PAGE)).toEqual([
      { iova: START + 0x1800n, size: 0x1800 },
      { iova: START + 0xf000n, size: 0x800 },
    ])
    expect(read()).toEqual([
      { iova: START + 0x1000n, size: 0x2000 },
      { iova: START + 0xf000n, size: 0x1000 },
    ])
    expect(pagesIn(read(0x4000), 0x4000)).toEqual([0, 3])
    expect(lab.table.dirtyBitmap(START, 64 * KIB, { keep: true })).toEqual({
      iova: START,
      size: 64 * KIB,
      pageSize: PAGE,
      bits: Uint32Array.of(0x8006, 0),
    })
  })

  it('tells only of the range that is asked for, and leaves the rest for later', () => {
    using lab = openTable(64 * KIB)
    lab.table.setDirtyTracking(true)
    lab.write(0, 7, 8, 31)
    const read = (first: number, count: number) =>
      pagesIn(lab.table.dirtyPages(START + BigInt(first * MOCK_PAGE), count * MOCK_PAGE, { pageSize: MOCK_PAGE }))
    expect(read(4, 4)).toEqual([7])
    expect(read(0, 32)).toEqual([0, 8, 31])
  })

  it('begins anew when it is switched on again, and forgets when it is switched off', async () => {
    using lab = openTable(64 * KIB)
    const read = () => pagesIn(lab.table.dirtyPages(START, 64 * KIB, { pageSize: MOCK_PAGE }))
    await errorOf('ERR_DOMAIN_STATE', read)
    lab.table.setDirtyTracking(true)
    lab.write(1)
    lab.table.setDirtyTracking(true)
    expect(read()).toEqual([])
    lab.write(2)
    lab.table.setDirtyTracking(false)
    expect(lab.table.tracking).toBe(false)
    await errorOf('ERR_DOMAIN_STATE', read)
    lab.table.setDirtyTracking(true)
    expect(read()).toEqual([])
  })

  it('sees what is mapped while it is on', () => {
    using lab = openTable(8 * KIB)
    lab.table.setDirtyTracking(true)
    const more = MappedMemory.anonymous(PAGE)
    mapIn(lab.space, more, START + BigInt(8 * KIB))
    lab.write(4, 5)
    expect(pagesIn(lab.table.dirtyPages(START, 12 * KIB, { pageSize: MOCK_PAGE }))).toEqual([4, 5])
    unmapIn(lab.space, START + BigInt(8 * KIB), PAGE)
    more.revoke()
  })

  it('refuses a range with a gap, where the kernel would keep silent about what lies behind it', async () => {
    using lab = openTable(8 * KIB)
    const far = MappedMemory.anonymous(8 * KIB)
    const farIova = START + BigInt(64 * KIB)
    mapIn(lab.space, far, farIova)
    lab.table.setDirtyTracking(true)
    lab.write(1, 33)
    const read = (iova: bigint, size: number) => lab.table.dirtyPages(iova, size, { pageSize: MOCK_PAGE })
    const error = await errorOf('ERR_NOT_MAPPED', () => read(START, 72 * KIB))
    expect(error.context).toEqual({ iova: START, size: BigInt(72 * KIB) })
    await errorOf('ERR_NOT_MAPPED', () => read(START + BigInt(8 * KIB), PAGE))
    await errorOf('ERR_NOT_MAPPED', () => read(START - BigInt(PAGE), 8 * KIB))
    // Nothing was forgotten by that.
    expect(pagesIn(read(START, 8 * KIB))).toEqual([1])
    expect(pagesIn(read(farIova, 8 * KIB))).toEqual([33])
    unmapIn(lab.space, farIova, 8 * KIB)
    far.revoke()
  })

  it('refuses what is no range of whole pages', async () => {
    using lab = openTable(8 * KIB)
    lab.table.setDirtyTracking(true)
    await errorOf('ERR_IOVA_ALIGNMENT', () => lab.table.dirtyPages(START + 1n, PAGE))
    await errorOf('ERR_IOVA_ALIGNMENT', () => lab.table.dirtyPages(START, PAGE + 1))
    // Whole as asked for, and yet not whole for this IOMMU.
    const error = await errorOf('ERR_IOVA_ALIGNMENT', () =>
      lab.table.dirtyPages(START + 1024n, 2048, { pageSize: 1024 }),
    )
    expect(error.context.alignment).toBe(BigInt(MOCK_PAGE))
    await errorOf('ERR_INVALID_ARGUMENT', () => lab.table.dirtyPages(START, 12288, { pageSize: 12288 }))
    await errorOf('ERR_INVALID_ARGUMENT', () => lab.table.dirtyPages(START, 0))
  })

  it('is not here for a device whose IOMMU cannot, neither to allocate nor to attach', async () => {
    using lab = openTable(8 * KIB)
    const other = new MockDevice(lab.context.fd, lab.space.ioas, MOCK_DEVICE_NO_DIRTY)
    expect(hardwareInfo(lab.context.fd, other.deviceId).dirtyTracking).toBe(false)
    const error = await errorOf('ERR_NOT_SUPPORTED', () =>
      PageTable.allocate(lab.space, other.deviceId, { dirtyTracking: true }),
    )
    expect(error).toMatchObject({ errno: Errno.EOPNOTSUPP, context: { what: 'page table with dirty tracking' } })
    expect((await errorOf('ERR_SYSCALL', () => other.attach(lab.table.id))).errno).toBe(Errno.EINVAL)
    // A device whose IOMMU can.
    lab.device.attach(lab.table.id)
    lab.device.attach(lab.space.ioas)
  })

  it('is not there on a table that was allocated without', async () => {
    using lab = openTable(8 * KIB)
    using plain = PageTable.allocate(lab.space, lab.device.deviceId)
    await errorOf('ERR_DOMAIN_STATE', () => plain.setDirtyTracking(true))
    await errorOf('ERR_DOMAIN_STATE', () => plain.dirtyPages(START, PAGE))
  })
})

describe('DirtyTracking over a page table', () => {
  it('reads across gaps, and refuses a range that cuts a mapping', async () => {
    using lab = openTable(16 * KIB)
    const far = MappedMemory.anonymous(8 * KIB)
    const farIova = START + BigInt(64 * KIB)
    mapIn(lab.space, far, farIova)
    const tracking = new PageTableDirtyTracking(lab.table, () => [
      { iova: START, size: 16 * KIB },
      { iova: farIova, size: 8 * KIB },
    ])
    await errorOf('ERR_DOMAIN_STATE', () => tracking.read(START, 16 * KIB))
    tracking.start()
    lab.write(2, 3, 34)
    expect(pagesIn(tracking.read(0, 32 * KIB * KIB), PAGE)).toEqual([1, 17])
    lab.write(0, 1, 33)
    await errorOf('ERR_NOT_MAPPED', () => tracking.read(START, 68 * KIB))
    const bitmap = tracking.readBitmap(START, 128 * KIB)
    expect(bitmap).toMatchObject({ iova: START, size: 128 * KIB, bits: Uint32Array.of(0x1_0001, 0) })
    expect(tracking.read(START, 128 * KIB)).toEqual([])
    tracking.stop()
    expect(lab.table.tracking).toBe(false)
    unmapIn(lab.space, farIova, 8 * KIB)
    far.revoke()
  })
})
