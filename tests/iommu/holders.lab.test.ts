import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { Domain, findHolders, groups, readGroup, scanHolders } from '@openbar/iommu'
import { type Binding, bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { backends } from '../support/backends.ts'
import { startChild } from '../support/child.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'

const NOBODY = 65534
const hasCdev = backends.includes('iommufd')
const cdevs = hasCdev ? [nicAddress('e1000e')] : []

/** Opens files, and does nothing with them. */
const opening = (...paths: string[]) => `
  import { openSync } from 'node:fs'
  for (const path of ${JSON.stringify(paths)}) openSync(path, 'r+')
  console.log('open')`

/** Takes a device through its group, and closes the group: only the device's nameless file stays open. */
const keepingDeviceOnly = (address: string, group: number) => `
  import { closeSync, readdirSync, readlinkSync } from 'node:fs'
  import { Domain } from '@openbar/iommu'
  const domain = await Domain.open({ backend: 'type1' })
  globalThis.kept = domain.attach({ address: '${address}', group: ${group}, cdev: undefined })
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (/^.dev.vfio/.test(readlinkSync('/proc/self/fd/' + fd))) closeSync(Number(fd))
    } catch {}
  }
  console.log(readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch {} }).join(' '))`

describe('holders', () => {
  const address = nicAddress('e1000')
  const bindings: Binding[] = []
  const groupOf = (nic: string) => groups().find(({ devices }) => devices.some((device) => device.address === nic))!

  beforeAll(async () => {
    for (const model of ['e1000', 'e1000e'] as const) bindings.push(await bindDriver(nicAddress(model), 'vfio-pci'))
  })
  afterAll(async () => {
    for (const binding of bindings) await binding.restore()
  })

  it('are found for a group, a device, a container and /dev/iommu in one look, by pid and name', async () => {
    const group = groupOf(address)
    const { cdev } = groupOf(nicAddress('e1000e')).devices.find((device) => device.address === nicAddress('e1000e'))!
    expect(group.file).toBe(`/dev/vfio/${group.id}`)
    expect(cdev !== undefined && existsSync(cdev)).toBe(hasCdev)
    const paths = [group.file, '/dev/vfio/vfio', ...(hasCdev ? [cdev, '/dev/iommu'] : [])] as string[]
    const before = scanHolders()
    {
      await using child = await startChild(opening(...paths))
      const { files, unnamedDevices, unreadable } = scanHolders()
      for (const path of paths) {
        expect(files.get(path)).toEqual([{ pid: child.pid, command: 'node' }])
        expect(findHolders(path)).toEqual(files.get(path))
      }
      expect(unnamedDevices).toEqual([])
      expect(unreadable).toBe(0)
      const error = await errorOf('ERR_GROUP_BUSY', () => Device.open(address, {}))
      expect(error.message).toContain(`is held by node (process ${child.pid})`)
    }
    expect(scanHolders()).toEqual(before)
    expect(before.files.size).toBe(0)
  })

  it('that have only a device open are suspected, by name, of holding its group', async () => {
    const { id } = groupOf(address)
    await using child = await startChild(keepingDeviceOnly(address, id))
    expect(child.line).toContain('anon_inode:[vfio-device]')
    expect(child.line).not.toContain('/dev/vfio/')
    const { files, devices, unnamedDevices } = scanHolders()
    expect(files.has(`/dev/vfio/${id}`)).toBe(false)
    // Linux from 6.18 on says which device it is.
    expect([...unnamedDevices, ...(devices.get(address) ?? [])]).toEqual([{ pid: child.pid, command: 'node' }])
    await using domain = await Domain.open({ backend: 'type1' })
    const error = await errorOf('ERR_GROUP_BUSY', () => Device.open(address, { domain }))
    expect(error.message).toMatch(new RegExp(`is held by .*node \\(process ${child.pid}\\)`))
  })

  it.each(cdevs)('of %s, which is being unbound, are found, though its file is gone', async (nic) => {
    const { cdev } = readGroup(groupOf(nic).id).devices.find((device) => device.address === nic)!
    let unbinding: Promise<unknown>
    {
      await using child = await startChild(opening(cdev!))
      const shell = spawn('sh', ['-c', `echo ${nic} > /sys/bus/pci/drivers/vfio-pci/unbind`])
      unbinding = once(shell, 'exit')
      await vi.waitFor(() => expect(existsSync(cdev!)).toBe(false), 10_000)
      expect(readdirSync(`/proc/${child.pid}/fd`).map((fd) => readlinkSync(`/proc/${child.pid}/fd/${fd}`))).toContain(
        `${cdev} (deleted)`,
      )
      expect(findHolders(cdev!)).toEqual([{ pid: child.pid, command: 'node' }])
    }
    await unbinding
    expect(findHolders(cdev!)).toEqual([])
    writeFileSync('/sys/bus/pci/drivers/vfio-pci/bind', nic)
  })

  it('are counted where another user may not look: all programs, and no kernel thread', async () => {
    // Only a program has a size: of kernel threads, statm is all zeros.
    const programs = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && statSync(`/proc/${name}`).uid === 0)
      .filter((pid) => !readFileSync(`/proc/${pid}/statm`, 'utf8').startsWith('0 '))
    expect(programs.length).toBeGreaterThan(0)
    await using child = await startChild(
      `import { scanHolders } from '@openbar/iommu'; console.log(scanHolders().unreadable)`,
      NOBODY,
    )
    expect(Number(child.line)).toBe(programs.length)
  })
})
