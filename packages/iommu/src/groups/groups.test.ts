import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { groupsUnder, parseReservedRegions, readGroupUnder } from './groups.ts'
import { notViableError } from './not-viable-error.ts'

const sysfs = temporaryDirectory()

/** Builds a group as sysfs has it: devices are links into /sys/devices, drivers are links in there. */
function group(id: number, devices: Record<string, string | undefined>, type?: string, reserved?: string): void {
  const path = join(sysfs, 'kernel/iommu_groups', String(id))
  mkdirSync(join(path, 'devices'), { recursive: true })
  for (const [address, driver] of Object.entries(devices)) {
    const device = join(sysfs, 'devices', address)
    mkdirSync(device, { recursive: true })
    symlinkSync(device, join(path, 'devices', address))
    if (driver !== undefined) symlinkSync(`../../bus/pci/drivers/${driver}`, join(device, 'driver'))
  }
  if (type !== undefined) writeFileSync(join(path, 'type'), `${type}\n`)
  if (reserved !== undefined) writeFileSync(join(path, 'reserved_regions'), reserved)
}

let extraGroups = 0

const RESERVED = `0x00000000000a0000 0x00000000000bffff direct-relaxable
0x00000000fee00000 0x00000000feefffff msi
0x0000008000000000 0xffffffffffffffff reserved
`

/** Gives a device what a VFIO driver gives it: a name in VFIO and, from Linux 6.6 on, a device number. */
function vfioDevice(address: string, name: string, number: string | undefined): void {
  const path = join(sysfs, 'devices', address, 'vfio-dev', name)
  mkdirSync(path, { recursive: true })
  if (number !== undefined) writeFileSync(join(path, 'dev'), `${number}\n`)
}

group(2, { '0000:00:02.0': 'vfio-pci' }, 'DMA-FQ', RESERVED)
group(10, { '0000:00:1f.0': 'lpc_ich', '0000:00:1f.2': 'ahci', '0000:00:1f.3': undefined }, 'identity')
group(1, { '0000:00:01.0': 'pcieport', '0000:01:00.0': 'vfio-pci', '0000:01:00.1': 'pci-stub' })
group(7, { '0000:07:00.0': 'vfio-pci', '0000:07:00.1': 'vfio-pci' })
group(8, { '0000:08:00.0': 'vfio-pci' }, 'unknown')
vfioDevice('0000:07:00.0', 'vfio3', '511:3')
vfioDevice('0000:07:00.1', 'vfio4', undefined)
writeFileSync(join(sysfs, 'kernel/iommu_groups/8/name'), 'vfio-noiommu\n')
mkdirSync(join(sysfs, 'kernel/iommu_groups/not-a-group'))
for (const name of ['7', 'noiommu-8']) mkdirSync(join(sysfs, 'class/vfio', name), { recursive: true })

describe('groupsUnder', () => {
  test('lists the groups by number, and nothing else that stands there', () => {
    expect(groupsUnder(sysfs).map(({ id }) => id)).toEqual([1, 2, 7, 8, 10])
  })

  test('lists none where there is no IOMMU', () => {
    expect(groupsUnder(join(sysfs, 'elsewhere'))).toEqual([])
  })
})

describe('readGroupUnder', () => {
  test('reads devices, drivers, type and reserved regions', () => {
    expect(readGroupUnder(sysfs, 2)).toEqual({
      id: 2,
      type: 'DMA-FQ',
      devices: [{ address: '0000:00:02.0', driver: 'vfio-pci', cdev: undefined }],
      file: undefined,
      noIommu: false,
      reservedRegions: [
        { start: 0xa_0000n, last: 0xb_ffffn, kind: 'direct-relaxable' },
        { start: 0xfee0_0000n, last: 0xfeef_ffffn, kind: 'msi' },
        { start: 0x80_0000_0000n, last: 0xffff_ffff_ffff_ffffn, kind: 'reserved' },
      ],
      viable: true,
      culprits: [],
    })
  })

  test('names the devices that stand in the way, and not one without a driver', () => {
    const { viable, culprits, devices } = readGroupUnder(sysfs, 10)
    expect(viable).toBe(false)
    expect(devices).toHaveLength(3)
    expect(culprits).toEqual([
      { address: '0000:00:1f.0', driver: 'lpc_ich', cdev: undefined },
      { address: '0000:00:1f.2', driver: 'ahci', cdev: undefined },
    ])
  })

  test('is viable with bridges and stubs beside, without type and reserved regions', () => {
    expect(readGroupUnder(sysfs, 1)).toMatchObject({ viable: true, type: undefined, reservedRegions: [] })
  })

  test.each([
    ['vfio-pci', true],
    ['mlx5_vfio_pci', true],
    ['nvgrace-gpu-vfio-pci', true],
    ['vfio-platform', true],
    ['nvme', false],
    ['notvfio', false],
  ])('a device on %s leaves its group viable: %s', (driver, viable) => {
    extraGroups += 1
    const id = 100 + extraGroups
    group(id, { [`0000:a0:${extraGroups}.0`]: driver })
    expect(readGroupUnder(sysfs, id).viable).toBe(viable)
  })

  test("reads the group's file, and the character devices that have a number", () => {
    expect(readGroupUnder(sysfs, 7)).toMatchObject({
      file: '/dev/vfio/7',
      devices: [{ cdev: '/dev/vfio/devices/vfio3' }, { cdev: undefined }],
    })
  })

  test('knows a group that VFIO made up for a device without an IOMMU', () => {
    expect(readGroupUnder(sysfs, 8)).toMatchObject({ noIommu: true, file: '/dev/vfio/noiommu-8', type: 'unknown' })
  })

  test('reads a number that no group has as a group without devices', () => {
    expect(readGroupUnder(sysfs, 999)).toMatchObject({ id: 999, devices: [], reservedRegions: [] })
  })
})

test('parseReservedRegions leaves out what is no region', () => {
  expect(parseReservedRegions('')).toEqual([])
  expect(parseReservedRegions('garbage in here\n0x1000 0x1fff msi\n0x2000\n')).toEqual([
    { start: 0x1000n, last: 0x1fffn, kind: 'msi' },
  ])
})

describe('notViableError', () => {
  test('names every culprit with its driver, and what to do', () => {
    const error = notViableError(readGroupUnder(sysfs, 10))
    expect(error.message).toContain(
      'Group 10 is not viable: 0000:00:1f.0 is bound to lpc_ich, 0000:00:1f.2 is bound to ahci.',
    )
    expect(error.hint).toMatch(/unbind.*bindDriver\('0000:00:1f\.0', 'vfio-pci'\)/)
    expect(error).toMatchObject({ code: 'ERR_GROUP_NOT_VIABLE', context: { group: 10 } })
    expect(error.context.culprits).toHaveLength(2)
  })

  test('says so where the culprit has gone meanwhile', () => {
    expect(notViableError({ id: 7, culprits: [] }).message).toContain('one of its devices has a kernel driver')
  })
})
