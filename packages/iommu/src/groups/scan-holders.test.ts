import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { procTree } from '../testing/proc-tree.ts'
import { scanHolders } from './scan-holders.ts'

const DEVICE = 'anon_inode:[vfio-device]'
const program = { exe: '/usr/bin/node', comm: 'MainThread' }

describe('scanHolders', () => {
  test('tells who has each file of VFIO and iommufd open, and nothing of other files', () => {
    const proc = procTree({
      900: { ...program, fds: ['/dev/null', '/dev/vfio/12', '/dev/vfio/vfio', DEVICE, 'socket:[4]'] },
      21: { ...program, fds: ['/dev/iommu', '/dev/vfio/devices/vfio3', '/dev/vfio/devices/vfio3'] },
      3: { comm: 'bash', exe: '/usr/bin/bash', fds: ['/dev/pts/0', '/dev/vfio/12', '/dev/vfio/noiommu-0'] },
      4: {
        comm: 'other',
        exe: '/usr/bin/other',
        fds: ['/dev/vfio/twelve', '/dev/vfio', '/tmp/dev/vfio/12', '/dev/iommu0'],
      },
    })
    const bash = { pid: 3, command: 'bash' }
    const driver = { pid: 900, command: 'node' }
    expect(scanHolders(proc)).toEqual({
      files: new Map([
        ['/dev/vfio/12', [bash, driver]],
        ['/dev/vfio/noiommu-0', [bash]],
        ['/dev/iommu', [{ pid: 21, command: 'node' }]],
        ['/dev/vfio/devices/vfio3', [{ pid: 21, command: 'node' }]],
        ['/dev/vfio/vfio', [driver]],
      ]),
      devices: new Map(),
      unnamedDevices: [driver],
      unreadable: 0,
    })
  })

  test('names a device that was got through a group where the kernel tells it', () => {
    const path = '/sys/devices/pci0000:00/0000:00:1c.0/0000:03:00.1'
    const proc = procTree({
      5: {
        ...program,
        fds: [DEVICE, DEVICE, DEVICE],
        fdinfo: {
          0: `pos:\t0\nflags:\t02000002\nvfio-device-syspath: ${path}\n`,
          1: `pos:\t0\nvfio-device-syspath: ${path}\n`,
          2: 'pos:\t0\nflags:\t02000002\n',
        },
      },
    })
    const holder = { pid: 5, command: 'node' }
    const { devices, unnamedDevices } = scanHolders(proc)
    expect(devices).toEqual(new Map([['0000:03:00.1', [holder]]]))
    expect(unnamedDevices).toEqual([holder])
  })

  test('sees the holders of a device that is being unbound, whose file is gone', () => {
    const proc = procTree({ 5: { ...program, fds: ['/dev/vfio/devices/vfio0 (deleted)', '/tmp/x (deleted)'] } })
    expect([...scanHolders(proc).files.keys()]).toEqual(['/dev/vfio/devices/vfio0'])
    expect(scanHolders(proc, (path) => path === '/tmp/x').files.size).toBe(0)
  })

  test('counts what it may not look into, and no kernel threads', () => {
    const proc = procTree({
      1: { comm: 'init', exe: '/sbin/init', fds: 'unreadable' },
      2: { comm: 'kthreadd', fds: 'unreadable' },
      7: { comm: 'secret', exe: '/usr/bin/secret', fds: 'unreadable' },
      8: { ...program, fds: ['/dev/iommu'] },
    })
    const { unreadable, files } = scanHolders(proc)
    expect(unreadable).toBe(2)
    expect(files.get('/dev/iommu')).toEqual([{ pid: 8, command: 'node' }])
  })

  test('passes over processes that end while it looks', () => {
    const proc = procTree({ 6: { fds: ['/dev/vfio/1'] } })
    mkdirSync(join(proc, '7'))
    expect(scanHolders(proc)).toEqual({ files: new Map(), devices: new Map(), unnamedDevices: [], unreadable: 0 })
  })

  test('finds nothing where proc is not mounted', () => {
    expect(scanHolders('/nowhere').files.size).toBe(0)
  })
})

test.each([
  ['what the process calls itself', 'dpdk-devbind.py', '/usr/bin/python3.11', 'dpdk-devbind.py'],
  ['the program of a Node.js process', 'MainThread', '/opt/node/bin/node', 'node'],
  ['the program of a newer Node.js process', 'node-MainThread', '/opt/node/bin/node', 'node'],
  ['the title that a Node.js process gave itself', 'my-driver', '/opt/node/bin/node', 'my-driver'],
  ['a program whose name the kernel cut', 'qemu-system-x86', '/usr/bin/qemu-system-x86_64', 'qemu-system-x86_64'],
  [
    'a program that was upgraded meanwhile',
    'qemu-system-x86',
    '/usr/bin/qemu-system-x86_64 (deleted)',
    'qemu-system-x86_64',
  ],
  ['a name without its control characters', 'a\u001b[31mb\nc', '/usr/bin/d', 'a?[31mb?c'],
  ['a thread of a program that cannot be seen', 'MainThread', undefined, 'MainThread'],
])('a process is named by %s', (_, comm, exe, name) => {
  const proc = procTree({ 5: { comm, ...(exe === undefined ? {} : { exe }), fds: ['/dev/iommu'] } })
  expect(scanHolders(proc).files.get('/dev/iommu')).toEqual([{ pid: 5, command: name }])
})
