import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { groupBusyError } from './group-busy-error.ts'
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

  test('says why nobody is named', () => {
    expect(groupBusyError(device, { errno: 16, syscall: 'open' }).message).toContain('run as root to see which')
  })
})

test('formatHolders lists all', () => {
  const holders = [
    { pid: 1, command: 'init' },
    { pid: 22, command: 'qemu-system-x86' },
  ]
  expect(formatHolders(holders)).toBe('init (process 1), qemu-system-x86 (process 22)')
})
