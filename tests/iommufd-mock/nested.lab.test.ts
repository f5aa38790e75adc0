import { PageTable } from '@openbar/iommu'
import { Errno } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, openIommufd } from '../support/iommufd.ts'
import { MOCK_INVALIDATION, MOCK_NESTED, MockDevice, tlbHolds } from '../support/iommufd-mock.ts'

const VALUE = 0xbad_beef
const ENTRIES = [0, 1, 2, 3]

/** `struct iommu_hwpt_selftest`: the value that the mock's TLB holds at first. */
const data = { type: MOCK_NESTED, bytes: new Uint8Array(Uint32Array.of(VALUE).buffer) }

/** `struct iommu_hwpt_invalidate_selftest`: flags, entry. */
const entry = (flags: number, id: number) => new Uint8Array(Uint32Array.of(flags, id).buffer)
const invalidation = (...entries: Uint8Array[]) => ({ type: MOCK_INVALIDATION, entries })

function openParent() {
  const context = openIommufd()
  const space = allocateSpace(context.fd)
  const device = new MockDevice(context.fd, space.ioas)
  const parent = PageTable.allocate(space, device.deviceId, { nestParent: true })
  const allocateNested = (bytes = data.bytes, type = data.type) =>
    PageTable.allocate(space, device.deviceId, { parent, data: { type, bytes } })
  /** What the four entries of a table's TLB hold: `true` for the value from the start, `false` for nothing. */
  const tlbOf = ({ id }: PageTable) =>
    ENTRIES.map((index) => {
      const full = tlbHolds(context.fd, id, index, VALUE)
      if (!full && !tlbHolds(context.fd, id, index, 0)) throw new Error(`entry ${index} holds something else`)
      return full
    })
  return { context, space, device, parent, allocateNested, tlbOf, [Symbol.dispose]: () => context[Symbol.dispose]() }
}

describe('a nested page table', () => {
  it('is allocated with data of its IOMMU, several in one parent, and holds the parent', async () => {
    using lab = openParent()
    const tables = [lab.allocateNested(), lab.allocateNested()]
    for (const table of tables) expect(lab.tlbOf(table)).toEqual([true, true, true, true])
    const error = await errorOf('ERR_DOMAIN_STATE', () => lab.parent.close())
    const names = tables.map(({ id }) => `page table ${id}`).join(', ')
    expect(error).toMatchObject({ errno: Errno.EBUSY, context: { state: `in use by ${names}` } })
    for (const table of tables) table.close()
    lab.parent.close()
  })

  it('is attached to a device, exchanged for another, and then cannot be closed', async () => {
    using lab = openParent()
    const [first, second] = [lab.allocateNested(), lab.allocateNested()]
    lab.device.attach(first.id)
    await errorOf('ERR_DOMAIN_STATE', () => first.close())
    lab.device.attach(second.id)
    await errorOf('ERR_DOMAIN_STATE', () => second.close())
    first.close()
    lab.device.attach(lab.parent.id)
    second.close()
    lab.device.attach(lab.space.ioas)
    lab.parent.close()
  })

  it('of data that its IOMMU does not know says so', async () => {
    using lab = openParent()
    const error = await errorOf('ERR_NOT_SUPPORTED', () => lab.allocateNested(data.bytes, MOCK_NESTED + 1))
    expect(error).toMatchObject({ errno: Errno.EOPNOTSUPP, context: { what: 'such nested page table' } })
    expect(error.message).toContain(`IOMMU of device ${lab.device.deviceId}`)
  })

  it('of data that is too short is an error that tells', async () => {
    using lab = openParent()
    const error = await errorOf('ERR_SYSCALL', () => lab.allocateNested(data.bytes.subarray(0, 3)))
    expect(error.errno).toBe(Errno.EINVAL)
  })

  it('needs a parent that was allocated as one, and no nested one', async () => {
    using lab = openParent()
    const plain = PageTable.allocate(lab.space, lab.device.deviceId)
    const nested = lab.allocateNested()
    for (const parent of [plain, nested]) {
      await errorOf('ERR_INVALID_ARGUMENT', () => PageTable.allocate(lab.space, lab.device.deviceId, { parent, data }))
    }
  })
})

describe('invalidation of a nested page table', () => {
  it('reaches the entries that it names, in this table only', () => {
    using lab = openParent()
    const [table, other] = [lab.allocateNested(), lab.allocateNested()]
    table.invalidate(invalidation(entry(0, 1)))
    expect(lab.tlbOf(table)).toEqual([true, false, true, true])
    table.invalidate(invalidation(entry(0, 2), entry(0, 3)))
    expect(lab.tlbOf(table)).toEqual([true, false, false, false])
    expect(lab.tlbOf(other)).toEqual([true, true, true, true])
    other.invalidate(invalidation(entry(1, 0)))
    expect(lab.tlbOf(other)).toEqual([false, false, false, false])
  })

  it.each([
    ['unknown flags', entry(0xffff_ffff, 1), Errno.EOPNOTSUPP],
    ['an entry that is not there', entry(0, 4), Errno.EINVAL],
  ])('stops at %s, tells which, and has done those before', async (_, wrong, errno) => {
    using lab = openParent()
    const table = lab.allocateNested()
    const error = await errorOf('ERR_SYSCALL', () => table.invalidate(invalidation(entry(0, 0), wrong, entry(0, 2))))
    expect(error).toMatchObject({ errno, context: { target: `page table ${table.id}, entry 1` } })
    expect(error.hint).toContain('The 1 before it are done')
    expect(lab.tlbOf(table)).toEqual([false, true, true, true])
  })

  it('without entries only asks whether the IOMMU knows the format', async () => {
    using lab = openParent()
    const table = lab.allocateNested()
    table.invalidate(invalidation())
    const error = await errorOf('ERR_NOT_SUPPORTED', () => table.invalidate({ type: 0xdad_beef, entries: [] }))
    expect(error.message).toContain('no invalidation of type 0xdadbeef')
    expect(lab.tlbOf(table)).toEqual([true, true, true, true])
  })

  it('refuses entries of other lengths than the format has, or of several', async () => {
    using lab = openParent()
    const table = lab.allocateNested()
    for (const length of [1, 9]) {
      // A byte beyond the struct is refused only when it is not zero.
      const bytes = new Uint8Array(length).fill(0xff, 8)
      const error = await errorOf('ERR_SYSCALL', () => table.invalidate(invalidation(bytes)))
      expect([Errno.EINVAL, Errno.E2BIG]).toContain(error.errno)
    }
    await errorOf('ERR_INVALID_ARGUMENT', () => table.invalidate(invalidation(entry(0, 0), new Uint8Array(4))))
    await errorOf('ERR_INVALID_ARGUMENT', () => table.invalidate(invalidation(new Uint8Array(0))))
    expect(lab.tlbOf(table)).toEqual([true, true, true, true])
  })

  it('is refused for a table that the kernel manages', async () => {
    using lab = openParent()
    const error = await errorOf('ERR_DOMAIN_STATE', () => lab.parent.invalidate(invalidation()))
    expect(error.context.state).toBe('managed by the kernel')
  })
})
