import { describe, expect, test, vi } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { kernelInterfaces, openBackend } from './select-backend.ts'

const kernel = vi.hoisted(() => ({ files: [] as string[], devices: '', noIommu: undefined as string | undefined }))
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  existsSync: (path: string) => kernel.files.includes(path),
}))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  readText: (path: string) => (path === '/proc/devices' ? kernel.devices : kernel.noIommu),
}))

const DEVICES = 'Character devices:\n  1 mem\n'
const GROUPS = `${DEVICES}243 vfio\n`
const BOTH = ['/dev/iommu', '/dev/vfio/vfio']

describe('kernelInterfaces', () => {
  test.each([
    ['a kernel with all', BOTH, `${GROUPS}511 vfio-dev\n`, [true, true, true]],
    ['iommufd without character devices of VFIO', BOTH, GROUPS, [false, true, true]],
    ['iommufd without groups', ['/dev/iommu'], `${DEVICES}511 vfio-dev\n`, [true, false, false]],
    ['VFIO without iommufd', ['/dev/vfio/vfio'], `${GROUPS}511 vfio-dev\n`, [false, true, false]],
    ['other drivers with such names', ['/dev/iommu'], `${DEVICES}511 vfio-dev-x\n1 vfiox\n`, [false, false, false]],
    ['nothing', [], DEVICES, [false, false, false]],
  ])('sees %s', (_, files, devices, [iommufd, type1, compat]) => {
    Object.assign(kernel, { files, devices, noIommu: undefined })
    expect(kernelInterfaces()).toEqual({
      iommufd,
      type1,
      'iommufd-compat': compat,
      'unsafe-noiommu': false,
    })
  })

  test.each([
    ['Y', true],
    ['N', false],
    [undefined, false],
  ])('sees whether no-IOMMU mode is switched on: %s', (noIommu, expected) => {
    Object.assign(kernel, { files: BOTH, devices: GROUPS, noIommu })
    expect(kernelInterfaces()).toMatchObject({ 'unsafe-noiommu': expected })
  })
})

describe('openBackend', () => {
  test.each([
    ['auto', 'neither iommufd nor a VFIO container', 'modprobe vfio-pci'],
    ['iommufd', 'no iommufd', 'Linux 6.6'],
    ['type1', 'no VFIO container', 'modprobe vfio-pci'],
    ['iommufd-compat', 'no iommufd', 'CONFIG_VFIO_GROUP'],
    ['unsafe-noiommu', 'no-IOMMU mode switched off', 'enable_unsafe_noiommu_mode'],
  ] as const)('says what is missing for %s', (name, missing, next) => {
    Object.assign(kernel, { files: [], devices: DEVICES, noIommu: undefined })
    const error = thrownBy(() => openBackend(name, false))
    expect(error).toMatchObject({ code: 'ERR_NO_BACKEND', context: { backend: name } })
    expect(error.message).toContain(missing)
    expect(error.hint).toContain(next)
  })
})
