import { describe, expect, it } from 'vitest'
import { fakeSysfs } from '../testing/fake-sysfs.ts'
import { listFunctions } from './list-functions.ts'
import { readFunction } from './read-function.ts'

const nic = {
  driver: 'e1000e',
  group: 12,
  numaNode: 1,
  resources: [
    '0x00000000febc0000 0x00000000febdffff 0x0000000000040200',
    '',
    '0x000000000000c000 0x000000000000c01f 0x0000000000040101',
    '',
    '',
    '',
    '0x00000000feb80000 0x00000000febbffff 0x0000000000046200',
  ],
}

describe('readFunction', () => {
  it('reads all that sysfs tells', () => {
    const sysfs = fakeSysfs({ '0000:03:00.0': nic })
    const fn = readFunction('03:00.0', { sysfs })
    expect(fn).toMatchObject({
      vendorId: 0x8086,
      deviceId: 0x10d3,
      subsystemVendorId: 0x8086,
      subsystemId: 0,
      revisionId: 0,
      classCode: 0x020000,
      driver: 'e1000e',
      driverOverride: undefined,
      iommuGroup: 12,
      numaNode: 1,
    })
    expect(`${fn.address}`).toBe('0000:03:00.0')
    expect(fn.bars.map((bar) => [bar.index, bar.kind, bar.size])).toEqual([
      [0, 'memory32', 0x20000],
      [2, 'io', 0x20],
    ])
    expect(fn.expansionRom).toMatchObject({ size: 0x40000, prefetchable: true })
  })

  it('answers undefined for what the kernel does not know', () => {
    const sysfs = fakeSysfs({ '0000:03:00.0': { override: 'vfio-pci' } })
    const fn = readFunction('03:00.0', { sysfs })
    expect([fn.driver, fn.iommuGroup, fn.numaNode, fn.expansionRom]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect(fn.driverOverride).toBe('vfio-pci')
  })

  it('names the missing address and the near ones', () => {
    const sysfs = fakeSysfs({ '0000:04:00.0': {}, '0000:04:00.1': {}, '0001:0a:1f.3': {} })
    expect(() => readFunction('0000:04:01.0', { sysfs })).toThrow(
      'There is no PCI function 0000:04:01.0. Was 0000:04:00.0 or 0000:04:00.1 meant?',
    )
    expect(() => readFunction('0002:cc:0e.6', { sysfs })).toThrow(/3 others exist: listFunctions\(\)/)
    expect(() => readFunction('04:00.0', { sysfs: '/nowhere' })).toThrow(/is sysfs mounted/)
  })
})

describe('listFunctions', () => {
  it('lists by address', () => {
    const sysfs = fakeSysfs({ '10000:01:00.0': {}, '0000:0a:00.0': {}, '0000:03:00.0': nic })
    expect(listFunctions({ sysfs }).map((fn) => `${fn.address}`)).toEqual([
      '0000:03:00.0',
      '0000:0a:00.0',
      '10000:01:00.0',
    ])
  })

  it('lists nothing where there is no sysfs', () => {
    expect(listFunctions({ sysfs: '/nowhere' })).toEqual([])
  })
})
