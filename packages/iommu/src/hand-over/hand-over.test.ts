import { closeSync, openSync } from 'node:fs'
import { asFd, Errno, MappedMemory } from '@openbar/linux'
import { describe, expect, test } from 'vitest'
import { AddressSpace } from '../address-space.ts'
import { Domain } from '../domain.ts'
import { vfTokenError } from '../groups/vf-token-error.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { adoptMappings } from './adopt-mappings.ts'
import type { AdoptedMapping, AdoptOptions } from './adopt-options.ts'
import { ForeignMemory } from './foreign-memory.ts'
import { GivenDevice } from './given-device.ts'

const PAGE = 4096
const openNull = () => asFd<'device'>(openSync('/dev/null', 'r'))
const isOpen = (fd: number) => {
  try {
    closeSync(fd)
    return true
  } catch {
    return false
  }
}

describe('a file that was given', () => {
  test('is closed once, and tells that it was', () => {
    let told = 0
    const given = new GivenDevice(openNull(), () => {
      told += 1
    })
    expect(given.closed).toBe(false)
    given.close()
    given.close()
    expect([given.closed, told, isOpen(given.fd)]).toEqual([true, 1, false])
  })

  test('tells that it was closed even when the kernel refuses', () => {
    let told = 0
    const given = new GivenDevice(asFd(999_999), () => {
      told += 1
    })
    expect(thrownBy(() => given.close())).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.EBADF })
    expect(told).toBe(1)
  })
})

describe('what was mapped before a domain was handed over', () => {
  const adopt = (mappings: readonly AdoptedMapping[]) => {
    const backend = new FakeBackend()
    const space = new AddressSpace(backend)
    adoptMappings({ backend: 'type1', fd: 0, mappings }, backend, space)
    return space
  }
  const page = { iova: 0x1000_0000, size: PAGE, access: 'read' } as const

  test('stands in the books', () => {
    const space = adopt([page, { ...page, iova: 0x2000_0000n, access: 'write' }])
    expect([...space.mappings].map(({ iova, size, access }) => ({ iova, size, access }))).toEqual([
      { iova: 0x1000_0000n, size: PAGE, access: 'read' },
      { iova: 0x2000_0000n, size: PAGE, access: 'write' },
    ])
    expect(thrownBy(() => space.map({ address: PAGE, size: PAGE }, 0x1000_0000, 'read'))).toMatchObject({
      code: 'ERR_IOVA_IN_USE',
    })
    expect(space.place({ size: PAGE, align: PAGE, limit: 2 ** 64 })).not.toBe(0x1000_0000)
  })

  test.each([
    [{ ...page, size: 0 }, 'ERR_INVALID_ARGUMENT'],
    [{ ...page, size: 100 }, 'ERR_INVALID_ARGUMENT'],
    [{ ...page, iova: 5 }, 'ERR_INVALID_ARGUMENT'],
    [{ ...page, access: 'all' as 'read' }, 'ERR_INVALID_ARGUMENT'],
  ])('is refused where it cannot be: %j', (mapping, code) => {
    expect(thrownBy(() => adopt([mapping]))).toMatchObject({ code })
  })

  test('is refused where it overlaps', () => {
    expect(thrownBy(() => adopt([page, page]))).toMatchObject({ code: 'ERR_IOVA_IN_USE' })
  })
})

describe('a domain on a borrowed address space', () => {
  test('unmaps at its end what it has mapped, and closes its buffers', () => {
    const backend = new FakeBackend()
    backend.borrowed = true
    const foreign = { iova: 0x5000_0000n, size: BigInt(PAGE), address: 0n, access: 'read' } as const
    backend.mapped.set(foreign.iova, foreign)
    const unmapped: bigint[] = []
    backend.refuseUnmap = (iova) => {
      unmapped.push(iova)
      return undefined
    }
    const domain = Domain.over(backend)
    const memory = MappedMemory.anonymous(PAGE)
    domain.map(memory, { iova: 0x1000_0000 })
    const buffer = domain.allocate(PAGE, { iova: 0x2000_0000 })
    domain.close()
    expect(unmapped.sort()).toEqual([0x1000_0000n, 0x2000_0000n])
    memory.revoke()
    expect([buffer.closed, backend.closed, domain.snapshot().mappings]).toEqual([true, true, []])
  })

  test('gives its files to devices that were handed over with it', () => {
    const backend = new FakeBackend()
    const domain = Domain.over(backend)
    using given = domain.givenDevice(openNull(), { deviceId: 7 })
    expect(given).toMatchObject({ home: backend, deviceId: 7, closed: false })
    domain.close()
    expect(thrownBy(() => domain.givenDevice(asFd(0)))).toMatchObject({ code: 'ERR_CLOSED' })
  })
})

test('what a program needs to adopt a domain is what its books say', () => {
  const backend = new FakeBackend({ name: 'type1' })
  const domain = Domain.over(backend)
  const memory = MappedMemory.anonymous(PAGE)
  domain.map(memory, { iova: 0x1000_0000, access: 'read' })
  const mappings = [{ iova: 0x1000_0000n, size: PAGE, access: 'read' }]
  expect(domain.handOver()).toEqual({ backend: 'type1', fd: 100, mappings })
  domain.close()
  memory.revoke()
  expect(thrownBy(() => domain.handOver())).toMatchObject({ code: 'ERR_CLOSED' })
  const unprotected = Domain.over(new FakeBackend({ name: 'unsafe-noiommu' }))
  expect(thrownBy(() => unprotected.handOver())).toMatchObject({ code: 'ERR_NOT_SUPPORTED' })
})

describe('a file that is none of an address space', () => {
  const refused: readonly AdoptOptions[] = [
    { backend: 'iommufd', fd: 999_999, ioas: 1 },
    { backend: 'type1', fd: 999_999 },
    { backend: 'iommufd-compat', fd: -1 },
    { backend: 'unsafe-noiommu' as 'type1', fd: 0 },
  ]

  test.each(refused)('is refused: %j', async (options) => {
    await expect(Domain.adopt(options)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })

  test.each(['iommufd', 'type1', 'iommufd-compat'] as const)('stays open: %s', async (backend) => {
    const fd = openNull()
    await expect(Domain.adopt({ backend, fd, ioas: 1 })).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    expect(isOpen(fd)).toBe(true)
  })
})

describe('a VF token that is refused', () => {
  const device = { address: '0000:01:00.1', group: 1, cdev: undefined }
  const vfToken = '00112233-4455-6677-8899-aabbccddeeff'

  test('is missing, wrong, or not wanted', () => {
    expect(vfTokenError(device, Errno.EACCES, 'ioctl')?.message).toContain('without its VF token')
    const wrong = vfTokenError({ ...device, vfToken }, Errno.EACCES, 'ioctl')
    expect(wrong).toMatchObject({ code: 'ERR_PERMISSION' })
    expect(wrong?.message).toContain('not the one')
    expect(wrong?.message).not.toContain(vfToken)
    expect(vfTokenError({ ...device, vfToken }, Errno.EINVAL, 'ioctl')).toMatchObject({ code: 'ERR_NOT_SUPPORTED' })
  })

  test('is not blamed for anything else', () => {
    expect(vfTokenError(device, Errno.EINVAL, 'ioctl')).toBeUndefined()
    expect(vfTokenError({ ...device, vfToken }, Errno.EBUSY, 'ioctl')).toBeUndefined()
  })
})

test('foreign memory has a size, and no address', () => {
  expect(new ForeignMemory(PAGE)).toEqual({ address: 0, size: PAGE })
})
