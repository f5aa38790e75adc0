import { describe, expect, test } from 'vitest'
import type { DomainSnapshot, MappingSnapshot } from '../domain-snapshot.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { formatDomain } from './format-domain.ts'
import { formatWorld } from './format-world.ts'
import type { World, WorldGroup } from './world.ts'

const mapping = (page: number, more: Partial<MappingSnapshot> = {}): MappingSnapshot => ({
  iova: BigInt(page) * 0x1000n,
  size: 4096,
  access: 'read-write',
  state: 'mapped',
  kind: 'mapping',
  ...more,
})

const domain: DomainSnapshot = {
  id: 1,
  backend: 'iommufd',
  state: 'open',
  devices: ['0000:00:02.0', '0000:00:03.0'],
  ranges: [
    { start: 0n, last: 0xfedf_ffffn },
    { start: 0xfef0_0000n, last: 0x7f_ffff_ffffn },
  ],
  mappings: [mapping(1, { access: 'read' }), mapping(0x1000, { size: 2 * 1024 ** 2, kind: 'buffer' })],
  pinnedBytes: 4096 + 2 * 1024 ** 2,
  limits: { mappingsLeft: 65533 },
}

const unused: DomainSnapshot = {
  id: 2,
  backend: 'type1',
  state: 'open',
  devices: [],
  ranges: undefined,
  mappings: [mapping(1, { state: 'remembered' })],
  pinnedBytes: 0,
  limits: { mappingsLeft: undefined },
}

const group: WorldGroup = {
  id: 0,
  type: 'DMA-FQ',
  devices: [{ address: '0000:00:00.0', driver: undefined, cdev: undefined }],
  file: undefined,
  noIommu: false,
  reservedRegions: [{ start: 0xfee0_0000n, last: 0xfeef_ffffn, kind: 'msi' }],
  viable: true,
  culprits: [],
  holders: [],
  possibleHolders: [],
}

const world: World = {
  pid: 812,
  interfaces: { iommufd: true, type1: true, 'iommufd-compat': true, 'unsafe-noiommu': false },
  memory: { locked: 0n, pinned: 2n * 1024n ** 2n, limit: 8n * 1024n ** 2n },
  domains: [domain, unused],
  groups: [group],
  containerHolders: [],
  iommufdHolders: [{ pid: 812, command: 'node' }],
  unreadableProcesses: 0,
}

const lines = (...text: string[]) => text.join('\n')

describe('formatDomain', () => {
  test('prints devices, ranges, pinned memory, limits and mappings', () => {
    expect(formatDomain(domain)).toBe(
      lines(
        'domain 1 on iommufd: open',
        '├─ devices: 0000:00:02.0, 0000:00:03.0',
        '├─ ranges: 0x0-0xfedfffff, 0xfef00000-0x7fffffffff',
        '├─ pinned: 2 MiB',
        '├─ limit: 65533 more mappings',
        '└─ mappings: 2',
        '   ├─ 0x1000-0x1fff        4 KiB  read        mapped',
        '   └─ 0x1000000-0x11fffff  2 MiB  read-write  mapped  buffer',
      ),
    )
  })

  test('prints a domain before its first device', () => {
    expect(formatDomain(unused)).toBe(
      lines(
        'domain 2 on type1: open',
        '├─ no devices',
        '├─ ranges: not known before the first device',
        '├─ pinned: 0 B',
        '└─ mappings: 1',
        '   └─ 0x1000-0x1fff  4 KiB  read-write  remembered',
      ),
    )
  })

  test('prints a domain that is closing, and one that is closed', () => {
    expect(formatDomain({ ...unused, state: 'closing' })).toMatch(
      /^domain 2 on type1: closed, still held by its devices\n/,
    )
    expect(formatDomain({ ...unused, state: 'closed', mappings: [] })).toBe(
      lines('domain 2 on type1: closed', '├─ no devices', '├─ pinned: 0 B', '└─ no mappings'),
    )
  })

  const many = { ...domain, mappings: Array.from({ length: 20 }, (_, page) => mapping(page)) }
  test.each([
    [{}, 17, '   └─ and 4 more, of 16 KiB'],
    [{ maxMappings: 19 }, 20, '   └─ and 1 more, of 4 KiB'],
    [{ maxMappings: 20 }, 20, '   └─ 0x13000-0x13fff  4 KiB  read-write  mapped'],
    [{ maxMappings: Infinity }, 20, '   └─ 0x13000-0x13fff  4 KiB  read-write  mapped'],
    [{ maxMappings: 0 }, 1, '   └─ and 20 more, of 80 KiB'],
  ])('cuts a long list of mappings with %o', (options, count, last) => {
    const printed = formatDomain(many, options).split('\n')
    const header = printed.indexOf('└─ mappings: 20')
    expect(printed.length - header - 1).toBe(count)
    expect(printed.at(-1)).toBe(last)
  })

  test('prints more mappings than a call has room for arguments', () => {
    const mappings = Array.from({ length: 200_000 }, (_, page) => mapping(page))
    expect(formatDomain({ ...domain, mappings }, { maxMappings: Infinity }).split('\n')).toHaveLength(200_006)
  })

  test.each([-1, 1.5, Number.NaN])('refuses %s as a number of mappings', (maxMappings) => {
    expect(thrownBy(() => formatDomain(domain, { maxMappings }))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'maxMappings' },
    })
  })
})

describe('formatWorld', () => {
  test('prints interfaces, domains and groups', () => {
    expect(formatWorld(world, { maxMappings: 1 })).toBe(
      lines(
        'kernel interfaces',
        '├─ iommufd: /dev/iommu, held by node (process 812, this one)',
        '└─ type1: /dev/vfio/vfio, held by nobody',
        'this process, 812',
        '├─ memory: 0 B locked, 2 MiB pinned, limit 8 MiB',
        '├─ domain 1 on iommufd: open',
        '│  ├─ devices: 0000:00:02.0, 0000:00:03.0',
        '│  ├─ ranges: 0x0-0xfedfffff, 0xfef00000-0x7fffffffff',
        '│  ├─ pinned: 2 MiB',
        '│  ├─ limit: 65533 more mappings',
        '│  └─ mappings: 2',
        '│     ├─ 0x1000-0x1fff  4 KiB  read  mapped',
        '│     └─ and 1 more, of 2 MiB',
        '└─ domain 2 on type1: open',
        '   ├─ no devices',
        '   ├─ ranges: not known before the first device',
        '   ├─ pinned: 0 B',
        '   └─ mappings: 1',
        '      └─ 0x1000-0x1fff  4 KiB  read-write  remembered',
        'IOMMU groups: 1',
        '└─ group 0: DMA-FQ, viable',
        '   ├─ reserved: 0xfee00000-0xfeefffff (msi)',
        '   └─ 0000:00:00.0: no driver',
      ),
    )
  })

  test('prints whose fault a group is, and who holds or may hold it', () => {
    const nic = { address: '0000:00:02.0', driver: 'vfio-pci', cdev: '/dev/vfio/devices/vfio0' }
    const disk = { address: '0000:00:1f.2', driver: 'ahci', cdev: undefined }
    const holder = { pid: 40, command: 'qemu-system-x86_64' }
    const groups: WorldGroup[] = [
      { ...group, id: 1, type: undefined, devices: [nic, disk], culprits: [disk], viable: false, reservedRegions: [] },
      { ...group, id: 2, devices: [nic], reservedRegions: [], file: '/dev/vfio/2', holders: [holder] },
      { ...group, id: 3, devices: [nic], reservedRegions: [], file: '/dev/vfio/3', possibleHolders: [holder] },
      {
        ...group,
        ...{ id: 4, type: 'unknown', noIommu: true, devices: [nic], reservedRegions: [], file: '/dev/vfio/noiommu-4' },
      },
      {
        ...group,
        id: 5,
        devices: [nic],
        reservedRegions: [],
        file: '/dev/vfio/5',
        holders: [holder],
        possibleHolders: [holder],
      },
    ]
    const printed = formatWorld({ ...world, groups, domains: [], unreadableProcesses: 3 })
    expect(printed.slice(printed.indexOf('IOMMU groups'))).toBe(
      lines(
        'IOMMU groups: 5',
        '├─ group 1: not viable because of 0000:00:1f.2 (ahci)',
        '│  ├─ 0000:00:02.0: vfio-pci, /dev/vfio/devices/vfio0',
        '│  └─ 0000:00:1f.2: ahci',
        '├─ group 2 (/dev/vfio/2): DMA-FQ, viable',
        '│  ├─ 0000:00:02.0: vfio-pci, /dev/vfio/devices/vfio0',
        '│  └─ held by qemu-system-x86_64 (process 40)',
        '├─ group 3 (/dev/vfio/3): DMA-FQ, viable',
        '│  ├─ 0000:00:02.0: vfio-pci, /dev/vfio/devices/vfio0',
        '│  └─ perhaps held by qemu-system-x86_64 (process 40): a VFIO device of an unknown group',
        '├─ group 4 (/dev/vfio/noiommu-4): no IOMMU, unsafe, viable',
        '│  ├─ 0000:00:02.0: vfio-pci, /dev/vfio/devices/vfio0',
        '│  └─ held by nobody that can be seen',
        '└─ group 5 (/dev/vfio/5): DMA-FQ, viable',
        '   ├─ 0000:00:02.0: vfio-pci, /dev/vfio/devices/vfio0',
        '   ├─ held by qemu-system-x86_64 (process 40)',
        '   └─ perhaps held by qemu-system-x86_64 (process 40): a VFIO device of an unknown group',
        '3 processes could not be looked into: run as root, with all of its capabilities',
      ),
    )
  })

  test('prints a machine that has nothing', () => {
    const nothing: World = {
      ...world,
      interfaces: { iommufd: false, type1: false, 'iommufd-compat': false, 'unsafe-noiommu': false },
      memory: { locked: 65536n, pinned: 0n, limit: undefined },
      domains: [],
      groups: [],
      iommufdHolders: [],
      unreadableProcesses: 1,
    }
    expect(formatWorld(nothing)).toBe(
      lines(
        'kernel interfaces',
        '├─ iommufd: not in this kernel',
        '└─ type1: not in this kernel',
        'this process, 812',
        '├─ memory: 64 KiB locked, 0 B pinned, no limit',
        '└─ no domains',
        'no IOMMU groups: the IOMMU is absent or switched off',
        '1 process could not be looked into: run as root, with all of its capabilities',
      ),
    )
  })
})
