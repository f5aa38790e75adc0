import { describe, expect, test, vi } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { kernelInterfaces, openBackend } from './select-backend.ts'

const kernel = vi.hoisted(() => ({ files: [] as string[], devices: '' }))
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  existsSync: (path: string) => kernel.files.includes(path),
}))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  readText: () => kernel.devices,
}))

const DEVICES = 'Character devices:\n  1 mem\n'

describe('kernelInterfaces', () => {
  test.each([
    ['a kernel with both', ['/dev/iommu', '/dev/vfio/vfio'], `${DEVICES}511 vfio-dev\n`, true, true],
    ['iommufd without character devices of VFIO', ['/dev/iommu', '/dev/vfio/vfio'], DEVICES, false, true],
    ['character devices without iommufd', ['/dev/vfio/vfio'], `${DEVICES}511 vfio-dev\n`, false, true],
    ['another driver with such a name', ['/dev/iommu'], `${DEVICES}511 vfio-dev-x\n`, false, false],
    ['nothing', [], DEVICES, false, false],
  ])('sees %s', (_, files, devices, iommufd, type1) => {
    Object.assign(kernel, { files, devices })
    expect(kernelInterfaces()).toEqual({ iommufd, type1 })
  })
})

describe('openBackend', () => {
  test.each([
    ['auto', 'neither iommufd nor a VFIO container', 'modprobe vfio-pci'],
    ['iommufd', 'no iommufd', 'Linux 6.6'],
    ['type1', 'no VFIO container', 'modprobe vfio-pci'],
  ] as const)('says what is missing for %s', (name, missing, next) => {
    Object.assign(kernel, { files: [], devices: DEVICES })
    const error = thrownBy(() => openBackend(name, false))
    expect(error).toMatchObject({ code: 'ERR_NO_BACKEND', context: { backend: name } })
    expect(error.message).toContain(missing)
    expect(error.hint).toContain(next)
  })
})
