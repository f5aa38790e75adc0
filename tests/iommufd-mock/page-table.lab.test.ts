import { hardwareInfo, PageTable } from '@openbar/iommu'
import { Errno, MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, destroyIn, mapIn, openIommufd } from '../support/iommufd.ts'
import {
  isPinned,
  leadsTo,
  MOCK_APERTURE,
  MOCK_DEVICE_NO_DIRTY,
  MOCK_HARDWARE,
  MockDevice,
} from '../support/iommufd-mock.ts'

const PAGE = 4096

describe('hardwareInfo of the mock', () => {
  it('tells the type, the registers and what it can do', () => {
    using context = openIommufd()
    const device = new MockDevice(context.fd, allocateSpace(context.fd).ioas)
    const info = hardwareInfo(context.fd, device.deviceId)
    expect(info).toMatchObject({
      type: 'other',
      typeNumber: MOCK_HARDWARE.type,
      vtd: undefined,
      dirtyTracking: true,
      pasidBits: 0,
      pasidExecute: false,
      pasidPrivileged: false,
    })
    // struct iommu_test_hw_info: flags, test_reg.
    expect([...new Uint32Array(info.bytes.slice().buffer)]).toEqual([0, MOCK_HARDWARE.register])
  })

  it('tells of a device whose IOMMU cannot track what it writes', () => {
    using context = openIommufd()
    const device = new MockDevice(context.fd, allocateSpace(context.fd).ioas, MOCK_DEVICE_NO_DIRTY)
    expect(hardwareInfo(context.fd, device.deviceId).dirtyTracking).toBe(false)
  })

  it('of no device is an error that tells', async () => {
    using context = openIommufd()
    const error = await errorOf('ERR_SYSCALL', () => hardwareInfo(context.fd, 99))
    expect(error).toMatchObject({ errno: Errno.ENOENT, context: { target: 'device 99' } })
  })
})

describe('a page table', () => {
  it('holds what is mapped before it and after it', () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const device = new MockDevice(context.fd, space.ioas)
    const memory = MappedMemory.anonymous(2 * PAGE)
    const first = { address: memory.address, size: PAGE }
    const second = { address: memory.address + BigInt(PAGE), size: PAGE }
    mapIn(space, first, MOCK_APERTURE.start)
    const table = PageTable.allocate(space, device.deviceId)
    expect(table).toMatchObject({ dirtyTracking: false, nestParent: false, parent: undefined, closed: false })
    mapIn(space, second, MOCK_APERTURE.start + 0x10_0000n)
    expect(leadsTo(context.fd, table.id, MOCK_APERTURE.start, first)).toBe(true)
    expect(leadsTo(context.fd, table.id, MOCK_APERTURE.start + 0x10_0000n, second)).toBe(true)
    expect(leadsTo(context.fd, table.id, MOCK_APERTURE.start, second)).toBe(false)
    // Two tables lead to it, and it is pinned once.
    expect(isPinned(context.fd, memory, 1)).toBe(true)
    table.close()
    memory.revoke()
  })

  it('is attached, exchanged, and cannot be closed while a device is attached to it', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const device = new MockDevice(context.fd, space.ioas)
    const tables = [{}, { nestParent: true }].map((options) => PageTable.allocate(space, device.deviceId, options))
    for (const table of tables) {
      device.attach(table.id)
      const error = await errorOf('ERR_DOMAIN_STATE', () => table.close())
      expect(error).toMatchObject({ errno: Errno.EBUSY, context: { state: expect.stringContaining('attached') } })
      expect(error.message).toContain(`Page table ${table.id} cannot be closed`)
      expect(table.closed).toBe(false)
    }
    device.attach(space.ioas)
    for (const table of tables) table.close()
    // A second device, attached to a table from its start.
    using again = PageTable.allocate(space, device.deviceId)
    const other = new MockDevice(context.fd, again.id)
    expect(other.pageTable).toBe(again.id)
    other.destroy()
  })

  it('that the kernel made for a device goes when the device is attached elsewhere', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const device = new MockDevice(context.fd, space.ioas)
    const other = allocateSpace(context.fd)
    device.attach(other.ioas)
    expect((await errorOf('ERR_SYSCALL', () => device.attach(device.pageTable))).errno).toBe(Errno.ENOENT)
    device.attach(space.ioas)
    destroyIn(context.fd, other.ioas)
  })

  it('of no device, and of a device in the place of an address space, is an error that tells', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const device = new MockDevice(context.fd, space.ioas)
    const noDevice = await errorOf('ERR_SYSCALL', () => PageTable.allocate(space, 99))
    expect(noDevice).toMatchObject({ errno: Errno.ENOENT, context: { target: 'device 99' } })
    const noSpace = { fd: context.fd, ioas: device.deviceId }
    expect((await errorOf('ERR_SYSCALL', () => PageTable.allocate(noSpace, device.deviceId))).errno).toBe(Errno.EINVAL)
  })

  it('that would not reach what is mapped is refused, and the error tells what it would reach', async () => {
    using context = openIommufd()
    const device = new MockDevice(context.fd, allocateSpace(context.fd).ioas)
    const space = allocateSpace(context.fd)
    const memory = MappedMemory.anonymous(PAGE)
    mapIn(space, memory, 0n)
    const error = await errorOf('ERR_DOMAIN_STATE', () => PageTable.allocate(space, device.deviceId))
    expect(error).toMatchObject({ errno: Errno.EADDRINUSE, context: { state: 'mapped out of reach' } })
    expect(error.message).toContain('translates 0x1000000-0x7fffffff')
    destroyIn(context.fd, space.ioas)
    memory.revoke()
  })

  it('closes once, and its methods throw from then on', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const device = new MockDevice(context.fd, space.ioas)
    const table = PageTable.allocate(space, device.deviceId, { dirtyTracking: true })
    table.close()
    table.close()
    expect(table.closed).toBe(true)
    await errorOf('ERR_CLOSED', () => table.setDirtyTracking(true))
    await errorOf('ERR_CLOSED', () => table.dirtyPages(MOCK_APERTURE.start, PAGE))
    await errorOf('ERR_CLOSED', () => table.invalidate({ type: 0, entries: [] }))
  })

  it('keeps its address space from being destroyed', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const device = new MockDevice(context.fd, space.ioas)
    using table = PageTable.allocate(space, device.deviceId)
    device.attach(table.id)
    expect((await errorOf('ERR_SYSCALL', () => destroyIn(context.fd, space.ioas))).errno).toBe(Errno.EBUSY)
    device.destroy()
  })
})
