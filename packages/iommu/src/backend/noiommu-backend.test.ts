import { asFd, OpenbarError } from '@openbar/linux'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { Attachable } from '../attachable.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import type { BackendAttachment } from './backend.ts'
import { NoIommuBackend } from './noiommu-backend.ts'

const BUS_MASTER = 0x0406
const AT_REST = 0x0402

const kernel = vi.hoisted(() => ({
  behindIommu: false,
  entered: [] as string[],
  setIommu: 0,
  command: (): number => 0,
  detached: 0,
}))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  openFd: () => 3,
  tryIoctl: () => kernel.setIommu,
  queryInfo: () => ({ offset: 0x700_0000n }),
  preadExactly: (_fd: number, word: Uint16Array, offset: number) => {
    expect(offset).toBe(0x700_0004)
    word[0] = kernel.command()
  },
}))
vi.mock('../groups/groups.ts', () => ({
  readGroup: (group: number) => ({ noIommu: !kernel.behindIommu, devices: group === 9 ? [] : [{}] }),
}))
vi.mock('./group-container.ts', () => ({
  GroupContainer: class {
    readonly #entered: (group: number, first: boolean) => void
    readonly #path: (group: number) => string
    constructor(_fd: number, entered: (group: number, first: boolean) => void, path: (group: number) => string) {
      this.#entered = entered
      this.#path = path
    }
    attach({ group }: Attachable): Partial<BackendAttachment> {
      kernel.entered.push(this.#path(group))
      this.#entered(group, kernel.entered.length === 1)
      const detach = () => {
        kernel.detached += 1
      }
      return { fd: asFd(5), detach }
    }
  },
}))

const device: Attachable = { address: '0000:00:02.0', group: 4, cdev: undefined }

beforeEach(() => {
  Object.assign(kernel, { behindIommu: false, entered: [], setIommu: 0, command: () => AT_REST, detached: 0 })
})

describe('a domain without an IOMMU', () => {
  test('gives no memory back while a device in it is bus master', () => {
    const backend = new NoIommuBackend()
    const attachment = backend.attach(device)
    expect(backend.unmap(0x20_0000, 4096)).toBe(4096)
    kernel.command = () => BUS_MASTER
    for (const step of [() => backend.unmap(0x20_0000, 4096), () => attachment.assertAtRest()]) {
      const error = thrownBy(step)
      expect(error).toMatchObject({ code: 'ERR_DOMAIN_STATE', context: { state: 'bus master' } })
      expect(error.message).toContain(device.address)
      expect(error.hint).toContain('busMasterEnable = false')
    }
    attachment.detach()
    expect([backend.unmap(0x20_0000, 4096), kernel.detached]).toEqual([4096, 1])
  })

  test.each([
    ['answers all ones', () => 0xffff],
    [
      'cannot be read',
      () => {
        throw new OpenbarError('ERR_SYSCALL', { message: 'EIO', context: { target: 'config space' } })
      },
    ],
  ])('takes a device for gone that %s', (_, command) => {
    const backend = new NoIommuBackend()
    const attachment = backend.attach(device)
    kernel.command = command
    expect(backend.unmap(0, 4096)).toBe(4096)
    attachment.assertAtRest()
  })

  test('opens groups by the file that the kernel gives them', () => {
    new NoIommuBackend().attach(device)
    expect(kernel.entered).toEqual(['/dev/vfio/noiommu-4'])
  })

  test('refuses a device behind an IOMMU before its group is opened', () => {
    kernel.behindIommu = true
    const error = thrownBy(() => new NoIommuBackend().attach(device))
    expect(error.code).toBe('ERR_NOT_SUPPORTED')
    expect(error.message).toContain('0000:00:02.0 stands behind an IOMMU, in group 4')
    expect(kernel.entered).toEqual([])
    // An empty group is that of a device which was unbound; opening it says so.
    new NoIommuBackend().attach({ ...device, group: 9 })
    expect(kernel.entered).toEqual(['/dev/vfio/noiommu-9'])
  })

  test('names the switch when the kernel does not set the mode', () => {
    kernel.setIommu = -19
    const error = thrownBy(() => new NoIommuBackend().attach(device))
    expect(error).toMatchObject({ code: 'ERR_SYSCALL', errno: 19, syscall: 'ioctl(VFIO_SET_IOMMU)' })
    expect(error.hint).toContain('/sys/module/vfio/parameters/enable_unsafe_noiommu_mode')
  })

  test('maps, moves and tracks nothing', () => {
    const backend = new NoIommuBackend()
    for (const refused of [() => backend.map(), () => backend.replace(), () => backend.dirtyTracking()]) {
      expect(thrownBy(refused).code).toBe('ERR_NOT_SUPPORTED')
    }
    expect([backend.replaceable(), backend.ranges(), backend.translates]).toEqual([false, undefined, false])
  })
})
