import { hugePages, iovaRanges, rlimitMode, setHugePages, setRlimitMode } from '@openbar/iommu'
import { Errno, MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, mapIn, openIommufd, unmapIn } from '../support/iommufd.ts'
import { MOCK_APERTURE, MOCK_PAGE, MockDevice } from '../support/iommufd-mock.ts'

const PAGE = 4096

describe('the RLIMIT_MEMLOCK mode of a context', () => {
  it('is the user at first, and can be the process', () => {
    using context = openIommufd()
    expect(rlimitMode(context.fd)).toBe('user')
    setRlimitMode(context.fd, 'process')
    expect(rlimitMode(context.fd)).toBe('process')
    setRlimitMode(context.fd, 'user')
    expect(rlimitMode(context.fd)).toBe('user')
  })

  it('cannot be changed once there is an object', async () => {
    using context = openIommufd()
    allocateSpace(context.fd)
    const error = await errorOf('ERR_DOMAIN_STATE', () => setRlimitMode(context.fd, 'process'))
    expect(error.errno).toBe(Errno.EBUSY)
    expect(rlimitMode(context.fd)).toBe('user')
  })
})

describe('large pages of an address space', () => {
  it('are on at first, and can be off', () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    expect(hugePages(space)).toBe(true)
    setHugePages(space, false)
    expect(hugePages(space)).toBe(false)
    setHugePages(space, true)
    expect(hugePages(space)).toBe(true)
  })

  it('of none is an error that tells', async () => {
    using context = openIommufd()
    const nowhere = { fd: context.fd, ioas: 99 }
    expect((await errorOf('ERR_SYSCALL', () => hugePages(nowhere))).errno).toBe(Errno.ENOENT)
    expect((await errorOf('ERR_SYSCALL', () => setHugePages(nowhere, false))).errno).toBe(Errno.ENOENT)
  })

  it('off ask for whole pages: of what is mapped from then on, and of what is mapped already', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    const memory = MappedMemory.anonymous(2 * PAGE)
    const half = { address: memory.address + BigInt(MOCK_PAGE), size: PAGE }
    const iova = MOCK_APERTURE.start
    mapIn(space, { address: memory.address, size: PAGE }, iova)
    setHugePages(space, false)
    expect(iovaRanges(space).alignment).toBe(BigInt(PAGE))
    expect((await errorOf('ERR_SYSCALL', () => mapIn(space, half, iova + BigInt(PAGE)))).errno).toBe(Errno.EINVAL)
    setHugePages(space, true)
    mapIn(space, half, iova + BigInt(PAGE))
    const error = await errorOf('ERR_DOMAIN_STATE', () => setHugePages(space, false))
    expect(error).toMatchObject({ errno: Errno.EADDRINUSE, context: { state: expect.stringContaining('whole pages') } })
    expect(hugePages(space)).toBe(true)
    unmapIn(space, iova, 2 * PAGE)
    memory.revoke()
  })

  it('cannot be switched off while memory is mapped for a device', async () => {
    using context = openIommufd()
    const space = allocateSpace(context.fd)
    new MockDevice(context.fd, space.ioas)
    const memory = MappedMemory.anonymous(PAGE)
    mapIn(space, memory, MOCK_APERTURE.start)
    const error = await errorOf('ERR_DOMAIN_STATE', () => setHugePages(space, false))
    expect(error).toMatchObject({ errno: Errno.EINVAL, context: { state: expect.stringContaining('mapped') } })
    unmapIn(space, MOCK_APERTURE.start, PAGE)
    setHugePages(space, false)
    expect(hugePages(space)).toBe(false)
    memory.revoke()
  })
})
