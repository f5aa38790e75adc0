import { execFileSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fakeSysfs } from '../testing/fake-sysfs.ts'
import { bindDriver } from './bind-driver.ts'
import { sysfsIo } from './sysfs-io.ts'

describe('sysfsIo', () => {
  it('reads and writes attributes', async () => {
    const path = join(fakeSysfs({}), 'bus/pci/drivers_probe')
    await sysfsIo.write(path, '0000:03:00.0')
    expect(readFileSync(path, 'utf8')).toBe('0000:03:00.0')
    expect(await sysfsIo.read(path)).toBe('0000:03:00.0')
  })

  it('never makes a file', async () => {
    const path = join(fakeSysfs({}), 'bus/pci/nothing')
    await expect(sysfsIo.write(path, 'x')).rejects.toMatchObject({ code: 'ENOENT' })
    expect(existsSync(path)).toBe(false)
  })

  it('leaves the event loop alive when the kernel does not come back', async () => {
    const address = '0000:03:00.0'
    const sysfs = fakeSysfs({ [address]: { driver: 'e1000e' } }, ['vfio-pci'])
    const override = join(sysfs, 'bus/pci/devices', address, 'driver_override')
    const unbind = join(sysfs, 'bus/pci/drivers/e1000e/unbind')
    rmSync(unbind)
    // Opening a FIFO that nobody reads blocks a thread in the kernel, as a driver that hangs does.
    execFileSync('mkfifo', [unbind])
    let ticks = 0
    const ticking = setInterval(() => ticks++, 5)
    const failed = await bindDriver(address, 'vfio-pci', { sysfs, timeout: 200 }).catch((error: unknown) => error)
    clearInterval(ticking)
    closeSync(openSync(unbind, constants.O_RDONLY | constants.O_NONBLOCK))
    expect(failed).toMatchObject({ code: 'ERR_TIMEOUT', message: expect.stringContaining("step 'unbind' (e1000e)") })
    expect(ticks).toBeGreaterThan(5)
    expect(readFileSync(override, 'utf8').trim()).toBe('vfio-pci')
  })
})
