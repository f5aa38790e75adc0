import { setTimeout as sleep } from 'node:timers/promises'
import { Domain } from '@openbar/iommu'
import { bindDriver, currentDriver } from '@openbar/pci'
import { Device, type DeviceEvent } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'
import { startUnbind } from '../support/unbind.ts'

const PATIENCE_MS = 10_000

describe.each(translating(backends))('what the kernel tells of a device, on %s', (backend) => {
  it('is a request for the device when somebody unbinds it, who waits until it is closed', async () => {
    const address = nicAddress('e1000e')
    await using binding = await bindDriver(address, 'vfio-pci')
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, { domain })
    const { promise: asked, resolve } = Promise.withResolvers<DeviceEvent>()
    const { promise: over, resolve: end } = Promise.withResolvers<unknown>()
    device.watch(resolve, end)
    await using unbind = startUnbind(address)
    const event = await asked
    expect(event.type).toBe('release-request')
    expect(event.timeLeft).toBeGreaterThan(PATIENCE_MS / 2)
    await sleep(100)
    expect(unbind.done).toBe(false)
    expect(device.poll()).toBe(false)
    // The device itself is as usable as before.
    expect(device.bar(0).map().read32(0x8)).not.toBe(0xffff_ffff)
    await device.close()
    await unbind.ended
    expect(await over).toMatchObject({ code: 'ERR_CLOSED' })
    expect(currentDriver(address)).toBeUndefined()
    expect(binding.driver).toBe('vfio-pci')
  })

  it('is answered by leaving the domain too, and the device can then not come back', async () => {
    const address = nicAddress('e1000e')
    await using _binding = await bindDriver(address, 'vfio-pci')
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, { domain })
    const events = device.events()
    const first = events.next()
    await using unbind = startUnbind(address)
    expect((await first).value).toMatchObject({ type: 'release-request' })
    device.unsetDomain()
    await unbind.ended
    await errorOf('ERR_NOT_BOUND', () => device.setDomain(domain))
    expect(domain.snapshot().devices).toEqual([])
    await device.close()
    expect((await events.next()).done).toBe(true)
  })

  it('closes the device of a program that does not answer, after ten seconds, and says so', async () => {
    const address = nicAddress('e1000e')
    const before = processState()
    await using _binding = await bindDriver(address, 'vfio-pci')
    await using domain = await Domain.open({ backend })
    const device = await Device.open(address, { domain })
    const window = device.bar(0).map()
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const start = performance.now()
    await using unbind = startUnbind(address)
    await unbind.ended
    const waited = performance.now() - start
    expect(waited).toBeGreaterThan(PATIENCE_MS - 500)
    expect(waited).toBeLessThan(PATIENCE_MS + 5000)
    expect(device.closed).toBe(true)
    expect((await errorOf('ERR_CLOSED', () => device.bar(0))).message).toContain('did not close it within 10 s')
    await errorOf('ERR_CLOSED', () => window.read32(0))
    expect(String(await warned)).toContain(address)
    await device.close()
    domain.close()
    expect(processState()).toEqual(before)
  })

  it('reaches a program that is busy and only polls: told, and closed when its time is over', async () => {
    const address = nicAddress('e1000e')
    await using _binding = await bindDriver(address, 'vfio-pci')
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, { domain })
    const told: DeviceEvent[] = []
    device.watch((event) => told.push(event))
    // Starts the process before the loop keeps this one busy.
    const unbind = startUnbind(address)
    await sleep(50)
    const start = performance.now()
    while (device.poll() && performance.now() - start < 30_000);
    expect(told.map(({ type }) => type)).toEqual(['release-request'])
    const asked = performance.now()
    while (!device.closed && performance.now() - asked < 30_000) device.poll()
    expect(device.closed).toBe(true)
    expect(performance.now() - asked).toBeGreaterThan(PATIENCE_MS - 500)
    await unbind.ended
  })

  it('comes to whoever listens first, once, however late that is', async () => {
    const address = nicAddress('e1000e')
    await using _binding = await bindDriver(address, 'vfio-pci')
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, { domain })
    await using unbind = startUnbind(address)
    while (device.poll()) await sleep(5)
    for await (const event of device.events()) {
      expect(event.type).toBe('release-request')
      expect(event.timeLeft).toBeLessThanOrEqual(PATIENCE_MS)
      break
    }
    const late = await device.events({ signal: AbortSignal.timeout(50) }).next()
    expect(late.done).toBe(true)
    await device.close()
    await unbind.ended
  })

  it('is nothing on a device that is let be; poll says that the program may go on', async () => {
    await using opened = await openDevice('e1000', backend)
    const { device } = opened
    expect(device.poll()).toBe(true)
    device.unsetDomain()
    expect(device.poll()).toBe(false)
    device.setDomain(opened.domain)
    expect(device.poll()).toBe(true)
    await device.close()
    expect(device.poll()).toBe(false)
    await errorOf('ERR_CLOSED', () => device.watch(() => {}))
  })
})
