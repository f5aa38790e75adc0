import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { formatGroupHolders, groupBusyError } from './group-busy-error.ts'
import { findHolders, formatHolders } from './holders.ts'

const path = join(realpathSync(temporaryDirectory()), 'vfio0')
writeFileSync(path, '')

/** A group number so large that no machine has its file. */
const device = { address: '0000:00:02.0', group: 4_000_000, cdev: path }

describe('findHolders', () => {
  test('finds nobody for a file that nobody has open', () => {
    expect(findHolders(path)).toEqual([])
  })

  test('finds this process', () => {
    const fd = openSync(path, 'r')
    expect(findHolders(path)).toEqual([{ pid: process.pid, command: expect.stringMatching(/./) }])
    closeSync(fd)
    expect(findHolders(path)).toEqual([])
  })
})

describe('groupBusyError', () => {
  test('names another process that holds the device, once', async () => {
    const fds = [openSync(path, 'r'), openSync(path, 'r')] as const
    const child = spawn('sleep', ['60'], { stdio: [...fds, 'ignore'] })
    await once(child, 'spawn')
    for (const fd of fds) closeSync(fd)
    const error = groupBusyError(device, { errno: 16, syscall: 'open' })
    child.kill()
    await once(child, 'exit')
    expect(error).toMatchObject({
      code: 'ERR_GROUP_BUSY',
      errno: 16,
      syscall: 'open',
      context: { group: 4_000_000, holders: [{ pid: child.pid, command: 'sleep' }] },
    })
    expect(error.message).toContain(
      `0000:00:02.0 is in use: IOMMU group 4000000 is held by sleep (process ${child.pid}).`,
    )
    expect(error.hint).toContain('end that one first')
  })

  test('says so when nobody can be named', () => {
    const { message, context } = groupBusyError(device, { errno: 16, syscall: 'open' })
    expect(message).toContain('IOMMU group 4000000 is held by a')
    expect(context).toEqual({ group: 4_000_000, holders: [] })
  })
})

describe('formatGroupHolders', () => {
  const stray = { pid: 5, command: 'stray' }
  test.each([
    ['a process that is known', [stray], [], 3, 'stray (process 5)'],
    ['nobody', [], [], 0, 'a process that /proc does not show here, perhaps one in another container'],
    [
      'nobody, when not all can be seen',
      [],
      [],
      3,
      'another process (3 could not be looked into: run as root, with all of its capabilities)',
    ],
    [
      'a suspect',
      [],
      [stray],
      0,
      'another process (perhaps stray (process 5), with a VFIO device of which /proc does not tell the group)',
    ],
    [
      'a suspect, when not all can be seen',
      [],
      [stray],
      1,
      'another process (perhaps stray (process 5), with a VFIO device of which /proc does not tell the group; 1 could not be looked into: run as root, with all of its capabilities)',
    ],
    [
      'nobody where only this process is a suspect',
      [],
      [{ pid: process.pid, command: 'node' }],
      0,
      'a process that /proc does not show here, perhaps one in another container',
    ],
  ])('names %s', (_, holders, possibleHolders, unreadable, text) => {
    expect(formatGroupHolders({ holders, possibleHolders }, unreadable)).toBe(text)
  })
})

test('formatHolders lists all', () => {
  const holders = [
    { pid: 1, command: 'init' },
    { pid: 22, command: 'qemu-system-x86' },
  ]
  expect(formatHolders(holders)).toBe('init (process 1), qemu-system-x86 (process 22)')
})
