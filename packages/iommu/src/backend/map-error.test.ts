import { Errno } from '@openbar/linux'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { mapError } from './map-error.ts'

const limits = vi.hoisted(() => ({ locked: 0n, pinned: 0n, limit: undefined as bigint | undefined }))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  lockedMemory: () => limits,
}))

const request = { start: 0x1000_0000, size: 0x20000, address: 0x7f00_0000_0000, access: 'read' } as const
const errorFor = (errno: number) => mapError('ioctl(VFIO_IOMMU_MAP_DMA)', errno, request)

describe('mapError', () => {
  beforeEach(() => {
    Object.assign(limits, { locked: 4096n, pinned: 8_000_000n, limit: 8_388_608n })
  })

  test.each([
    [Errno.EEXIST, 'ERR_IOVA_IN_USE', 'mapped already'],
    [Errno.ENOSPC, 'ERR_MAPPING_LIMIT', 'dma_entry_limit'],
    [Errno.EFAULT, 'ERR_MEMORY_KIND', 'cannot pin'],
    [Errno.EINVAL, 'ERR_SYSCALL', 'EINVAL'],
  ])('says what errno %i means', (errno, code, text) => {
    const error = errorFor(errno)
    expect(error).toMatchObject({ code, errno, syscall: 'ioctl(VFIO_IOMMU_MAP_DMA)' })
    expect(error.message).toContain(text)
    expect(error.message).toContain('0x10000000-0x1001ffff')
  })

  test('tells the limit on locked memory, what is used of it, and how to raise it', () => {
    const error = errorFor(Errno.ENOMEM)
    expect(error).toMatchObject({
      code: 'ERR_MEMLOCK',
      errno: Errno.ENOMEM,
      context: { need: 0x20000n, limit: 8_388_608n, locked: 8_000_000n },
    })
    expect(error.message).toContain('RLIMIT_MEMLOCK allows 8388608 bytes, of which 8000000 are in use')
    expect(error.hint).toContain('ulimit -l')
  })

  test('does not advise to raise a limit that is not there', () => {
    limits.limit = undefined
    const error = errorFor(Errno.ENOMEM)
    expect(error.message).toContain('RLIMIT_MEMLOCK is unlimited')
    expect(error.hint).not.toContain('ulimit')
  })
})
