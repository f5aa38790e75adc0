import { describe, expect, test } from 'vitest'
import { groupHolders } from './group-holders.ts'
import type { HolderScan } from './scan-holders.ts'

const [qemu, node, stray] = [
  { pid: 10, command: 'qemu' },
  { pid: 20, command: 'node' },
  { pid: 30, command: 'stray' },
] as const

const nic = { address: '0000:00:02.0', driver: 'vfio-pci', cdev: '/dev/vfio/devices/vfio0' }
const group = { file: '/dev/vfio/1', devices: [nic, { address: '0000:00:02.1', driver: undefined, cdev: undefined }] }

function scan(found: Partial<HolderScan>): HolderScan {
  return { files: new Map(), devices: new Map(), unnamedDevices: [], unreadable: 0, ...found }
}

describe('groupHolders', () => {
  test('takes the holders of the group and of its devices, each once and by process id', () => {
    const found = scan({
      files: new Map([
        ['/dev/vfio/devices/vfio0', [node, stray]],
        ['/dev/vfio/1', [qemu, node]],
        ['/dev/vfio/2', [{ pid: 1, command: 'other' }]],
      ]),
      devices: new Map([['0000:00:02.1', [node]]]),
    })
    expect(groupHolders(found, group)).toEqual({ holders: [qemu, node, stray], possibleHolders: [] })
  })

  test('takes the holder of a device that the kernel names', () => {
    const found = scan({ devices: new Map([[nic.address, [stray]]]) })
    expect(groupHolders(found, group)).toEqual({ holders: [stray], possibleHolders: [] })
  })

  test('suspects who holds a device of an unknown group, but not who has a group open', () => {
    const found = scan({ files: new Map([['/dev/vfio/2', [qemu]]]), unnamedDevices: [qemu, stray] })
    expect(groupHolders(found, group)).toEqual({ holders: [], possibleHolders: [stray] })
  })

  test('suspects nobody where the group is held by its file, or has none', () => {
    const found = scan({ files: new Map([['/dev/vfio/1', [qemu]]]), unnamedDevices: [qemu, stray] })
    expect(groupHolders(found, group).possibleHolders).toEqual([])
    expect(groupHolders(found, { ...group, file: undefined }).possibleHolders).toEqual([])
  })

  test('does not suspect a process that is known to hold the group', () => {
    const found = scan({ files: new Map([['/dev/vfio/devices/vfio0', [stray]]]), unnamedDevices: [stray] })
    expect(groupHolders(found, group)).toEqual({ holders: [stray], possibleHolders: [] })
  })
})
