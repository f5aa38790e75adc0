import { readFileSync } from 'node:fs'
import { Domain } from '@openbar/iommu'
import { MappedMemory, type SharedMemory } from '@openbar/linux'
import { bindDriver, currentDriver } from '@openbar/pci'
import { Device, openSharedWindow, type SharedRegisters } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { startDeviceWorker } from '../support/device-worker.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const STATUS = 0x8

/** How much of devices' memory, and of memfds, the process has mapped, and the files that it must not leave open. */
function state() {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n')
  return { ...processState(), mapped: lines.filter((line) => /vfio|memfd:openbar/.test(line)) }
}

describe.each(translating(backends))('a device in a worker thread, on %s', { timeout: 60_000 }, (backend) => {
  const address = nicAddress('e1000e')
  const driver = currentDriver(address)
  const before = () => ({ ...state(), driver: currentDriver(address) })

  it('is opened, driven, reset and closed there like in the main thread', async () => {
    const start = before()
    await using worker = startDeviceWorker(backend, address, true)
    const { status } = await worker.ask<{ status: number }>('open')
    expect(status).toBeGreaterThan(0)
    expect(await worker.ask('frames', 20)).toBe(20)
    expect(await worker.ask('interrupts')).toEqual({ waited: 1, subscribed: 1, iterated: 1 })
    expect(await worker.ask('reset')).toMatchObject({ gone: true })
    expect(await worker.ask('frames', 5)).toBe(5)
    expect(await worker.ask('close')).toBe(true)
    expect(await worker.ask('warnings')).toEqual([])
    // Its event loop has files too.
    await worker.worker.terminate()
    expect(before()).toEqual(start)
  })

  it('is driven beside one in another worker and one in this thread', async () => {
    const start = state()
    const other = nicAddress('e1000')
    await using worker = startDeviceWorker(backend, other, true)
    await using second = startDeviceWorker(backend, address, true)
    await Promise.all([worker.ask('open'), second.ask('open')])
    expect(await Promise.all([worker.ask('frames', 10), second.ask('frames', 10)])).toEqual([10, 10])
    await second.ask('close')
    {
      await using domain = await Domain.open({ backend })
      await using device = await Device.open(address, { domain, bind: true })
      using bar0 = device.bar(0).map()
      const theirs = worker.ask('frames', 10)
      let least = Number.POSITIVE_INFINITY
      for (let reads = 0; reads < 10_000; reads += 1) least = Math.min(least, bar0.read32(STATUS))
      expect(least).toBeGreaterThan(0)
      expect(await theirs).toBe(10)
    }
    await worker.ask('close')
    await Promise.all([worker.worker.terminate(), second.worker.terminate()])
    expect(state()).toEqual(start)
  })

  it('is refused to a second thread, which changes nothing for the first', async () => {
    await using worker = startDeviceWorker(backend, address, true)
    await worker.ask('open')
    await using domain = await Domain.open({ backend })
    const error = await errorOf('ERR_GROUP_BUSY', () => Device.open(address, { domain }))
    expect(error.message).toContain(address)
    expect(await worker.ask('frames', 3)).toBe(3)
    await worker.ask('close')
  })

  describe('whose thread ends without closing it', () => {
    let giveBack: () => Promise<void>
    beforeAll(async () => {
      const binding = await bindDriver(address, 'vfio-pci')
      giveBack = () => binding.restore()
    })
    afterAll(() => giveBack())

    it.each(['terminate', 'terminate a loop', 'throw', 'exit'])('by "%s", leaves nothing', async (end) => {
      const start = state()
      await using worker = startDeviceWorker(backend, address, false)
      await worker.ask('open')
      const shared = await worker.ask<{ registers: SharedRegisters; memory: SharedMemory }>('hold')
      using window = openSharedWindow(shared.registers)
      const memory = MappedMemory.fromShared(shared.memory)
      const words = new Uint32Array(memory.buffer)
      const { u32 } = window
      expect([window.read32(STATUS) > 0, words[0]]).toEqual([true, 7])
      expect(state()).not.toEqual(start)

      if (end === 'terminate a loop') worker.worker.postMessage(['spin'])
      if (end.startsWith('terminate')) await worker.worker.terminate()
      else worker.worker.postMessage([end])
      await worker.ended

      await errorOf('ERR_CLOSED', () => window.read32(STATUS))
      expect([u32.length, words[0], memory.revoked]).toEqual([0, 0, true])
      expect(state()).toEqual(start)

      // The device is free, and as nobody has used it: not bus master, and its interrupt is off.
      await using domain = await Domain.open({ backend })
      await using device = await Device.open(address, { domain })
      expect(device.config.command.busMasterEnable).toBe(false)
      using bar0 = device.bar(0).map()
      expect(bar0.read32(STATUS)).toBeGreaterThan(0)
      device.interrupts.enable('intx')
    })
  })

  it('lends its registers, until they are taken away', async () => {
    expect(currentDriver(address)).toBe(driver)
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, { domain, bind: true })
    const mapped = device.bar(0).map()
    const shared = mapped.share()
    using lent = openSharedWindow(structuredClone(shared))
    expect([lent.size, lent.read32(STATUS)]).toEqual([mapped.size, mapped.read32(STATUS)])
    lent.write32(0x5400, 0x1234_5678)
    expect(mapped.read32(0x5400)).toBe(0x1234_5678)
    expect((await errorOf('ERR_OUT_OF_BOUNDS', () => lent.read32(lent.size))).context.size).toBe(mapped.size)
    await errorOf('ERR_MISALIGNED', () => lent.read32(2))
    await errorOf('ERR_NOT_SUPPORTED', () => lent.share())
    device.reset()
    await errorOf('ERR_CLOSED', () => lent.read32(STATUS))
    await errorOf('ERR_CLOSED', () => lent.write32(STATUS, 0))
    await errorOf('ERR_CLOSED', () => mapped.share())
    expect(lent.closed).toBe(true)
    await errorOf('ERR_REGION', () => device.bar(2).map().share())
    await errorOf('ERR_INVALID_ARGUMENT', () => openSharedWindow({ ...shared, size: 2 ** 30 }))
  })
})
