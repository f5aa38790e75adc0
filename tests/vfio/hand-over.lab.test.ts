import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readFunction } from '@openbar/pci'
import { Device, DeviceLauncher } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { pinnedPages } from '../support/pinned-pages.ts'
import { processState } from '../support/process-state.ts'
import { Conversation, PROGRAM } from './driver.ts'

type Backend = 'iommufd' | 'type1' | 'iommufd-compat'

const NOBODY = 65_534
const LIMIT = 1024 * 1024
const PAGE = 4096
const KILLS = process.env['OPENBAR_FULL'] === '1' ? 20 : 2
const command = [process.execPath, PROGRAM] as const
const stdio = ['pipe', 'pipe', 'inherit'] as const
const confined = { command, user: 'nobody', memlock: LIMIT, stdio } as const

/** Everything that leads to a device, and to config space. */
function ways(address: string): { path: string; flags: string }[] {
  const list = (folder: string) => (existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : [])
  const files = [...list('/dev/vfio').filter((path) => /\d$/.test(path)), ...list('/dev/vfio/devices')]
  const sysfs = readdirSync('/sys/bus/pci/devices').flatMap((each) =>
    ['config', 'resource0', 'driver_override'].map((name) => `/sys/bus/pci/devices/${each}/${name}`),
  )
  expect(sysfs).toContain(`/sys/bus/pci/devices/${address}/config`)
  const iommu = existsSync('/dev/iommu') ? ['/dev/iommu'] : []
  return [...files, ...iommu, ...sysfs.filter((path) => existsSync(path)), '/dev/mem'].map((path) => ({
    path,
    flags: 'r+',
  }))
}

describe.each(translating(backends) as readonly Backend[])('a device that is handed over, on %s', (backend) => {
  const open = (address: string) => DeviceLauncher.open(address, { bind: true, backend })

  it.each(NICS)('is driven by a child without privileges: $chip', async ({ model }) => {
    const before = processState()
    const address = nicAddress(model)
    {
      await using launcher = await open(address)
      const driver = await launcher.start(confined)
      const child = new Conversation(driver)
      expect(await child.next()).toEqual({ ready: driver.pid })
      await driver.adopted
      const report = await child.ask('report')
      expect(report).toMatchObject({
        uid: NOBODY,
        gid: NOBODY,
        groups: '',
        noNewPrivileges: '1',
        limit: LIMIT,
        inherits: 0,
        variable: null,
      })
      expect((report['capabilities'] as string[]).map(Number)).toEqual([0, 0, 0, 0, 0])
      const files = report['files'] as string[]
      expect(files).toHaveLength(2)
      expect(files.filter((path) => /^\/dev\/vfio\/\d+$/.test(path))).toEqual([])

      const tried = ways(address)
      const outcomes = (await child.ask(`attempts ${JSON.stringify(tried)}`)) as unknown as {
        path: string
        code: string
      }[]
      expect(outcomes).toHaveLength(tried.length)
      for (const { path, code } of outcomes) {
        expect([path, code]).toEqual([path, expect.stringMatching(/^(EACCES|ENOENT|EPERM)$/)])
      }

      expect(await child.ask('state')).toMatchObject({
        ...{ address, group: launcher.group, cdev: null, vendorId: 0x8086, backend, busMaster: false },
        ...{ mappings: 0, interrupts: null },
      })
      expect(await child.ask('frames 5')).toEqual({ whole: 5 })
      expect(await child.ask('interrupt')).toEqual({ count: 1 })
      // The kernel has no way to reset the 82540EM alone.
      if (model === 'e1000e') expect(await child.ask('reset')).toEqual({ reset: true })
      expect(await child.ask('frames 2')).toEqual({ whole: 2 })
      expect(await child.ask('state')).toMatchObject({ mappings: 0 })
      expect(await child.ask(`pin ${LIMIT}`)).toEqual({ code: 'ERR_MEMLOCK', mappings: 1 })
      expect(await child.ask('adopt-again')).toMatchObject({ thrown: 'ERR_NO_DEVICE' })
      // On iommufd, domains share the context that was handed over; elsewhere there is nothing to open one from.
      if (backend === 'iommufd') expect(await child.ask('move')).toEqual({ moved: true, backend })
      else
        expect(await child.ask('move')).toMatchObject({
          thrown: expect.stringMatching(/^ERR_(NO_BACKEND|PERMISSION)$/),
        })
      expect(await child.ask('frames 1')).toEqual({ whole: 1 })
      expect(await child.ask('close')).toEqual({ closed: true })
      await driver.released
      await driver.stop()
      expect(await driver.exited).toMatchObject({ signal: 'SIGTERM' })
    }
    expect(readFunction(address).driver).toBeUndefined()
    expect(processState()).toEqual(before)
  })

  it('cannot be reached by a child to which nothing is hidden, for want of rights', async () => {
    const address = nicAddress('e1000e')
    await using launcher = await open(address)
    const driver = await launcher.start({ ...confined, user: NOBODY, visible: true })
    const child = new Conversation(driver)
    await child.next()
    const outcomes = (await child.ask(`attempts ${JSON.stringify(ways(address))}`)) as unknown as {
      path: string
      code: string
    }[]
    expect(outcomes.filter(({ code }) => code !== 'EACCES' && code !== 'EPERM')).toEqual([])
    expect(await child.ask('frames 1')).toEqual({ whole: 1 })
    await driver.stop()
  })

  it('is quiet, and its memory is gone, when its driver was killed under traffic', async () => {
    const address = nicAddress('e1000e')
    await using launcher = await open(address)
    const kept = LIMIT / 2
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = pinnedPages()
      const driver = await launcher.start(confined)
      const child = new Conversation(driver)
      await child.next()
      expect(await child.ask('state')).toMatchObject({ busMaster: false, interrupts: null, mappings: 0 })
      expect(await child.ask(`traffic ${kept}`)).toEqual({ busMaster: true, mappings: 2 })
      expect(pinnedPages() - before).toBeGreaterThanOrEqual(kept / PAGE)
      process.kill(driver.pid, 'SIGKILL')
      expect(await driver.exited).toEqual({ code: null, signal: 'SIGKILL' })
      await driver.released
      expect(pinnedPages()).toBe(before)
    }
    const own = await launcher.device()
    expect(own.config.command.busMasterEnable).toBe(false)
  })

  it('belongs to one at a time, and everybody else is told so', async () => {
    const address = nicAddress('e1000e')
    await using launcher = await open(address)
    const own = await launcher.device()
    const bar0 = own.bar(0).map()
    expect(await launcher.device()).toBe(own)
    const starting = launcher.start(confined)
    await errorOf('ERR_DEVICE_BUSY', () => launcher.start(confined))
    const driver = await starting
    const child = new Conversation(driver)
    await child.next()
    expect((await errorOf('ERR_CLOSED', () => own.bar(0))).message).toContain('handed to another program')
    await errorOf('ERR_CLOSED', () => bar0.read32(8))
    for (const call of [
      () => launcher.device(),
      () => launcher.start(confined),
      () => launcher.give('/tmp/x', { timeout: 1 }),
    ]) {
      const busy = await errorOf('ERR_DEVICE_BUSY', call)
      expect(busy.context.holders.map(({ pid }) => pid)).toEqual([driver.pid])
    }
    await errorOf('ERR_GROUP_BUSY', () => Device.open(address))
    await driver.stop()
    expect((await launcher.device()).config.vendorId).toBe(0x8086)
  })

  it('is back when the launcher closes, which ends the driver', async () => {
    const before = processState()
    const launcher = await open(nicAddress('e1000e'))
    const driver = await launcher.start(confined)
    await new Conversation(driver).next()
    await launcher.close()
    expect(await driver.exited).toMatchObject({ signal: 'SIGTERM' })
    await driver.released
    await errorOf('ERR_CLOSED', () => launcher.start(confined))
    await errorOf('ERR_CLOSED', () => launcher.device())
    expect(processState()).toEqual(before)
  })

  it('is back when the program does not take it over', async () => {
    await using launcher = await open(nicAddress('e1000e'))
    const driver = await launcher.start({ ...confined, command: [process.execPath, '--eval', 'process.exit(7)'] })
    await expect(driver.adopted).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(await driver.exited).toEqual({ code: 7, signal: null })
    await driver.released
    const second = await launcher.start(confined)
    expect(await new Conversation(second).next()).toEqual({ ready: second.pid })
    await second.stop()
  })

  it('is not handed to root, to nobody that there is, or for an impossible limit', async () => {
    await using launcher = await open(nicAddress('e1000e'))
    for (const wrong of [
      { user: 'root' },
      { user: 0 },
      { user: 'no-such-user' },
      { memlock: -1 },
      { group: 'no-such-group' },
    ]) {
      await errorOf('ERR_INVALID_ARGUMENT', () => launcher.start({ ...confined, ...wrong }))
    }
    await errorOf('ERR_NOT_SUPPORTED', () => launcher.start({ ...confined, cwd: '/no/such/folder' }))
    expect((await launcher.device()).config.vendorId).toBe(0x8086)
  })
})

it('has the tools that confine a program', () => {
  for (const tool of ['prlimit', 'setpriv', 'unshare']) expect(spawnSync(tool, ['--version']).status).toBe(0)
})
