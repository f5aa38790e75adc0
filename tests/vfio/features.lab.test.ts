import type { IoEventFd } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'
import { shareDevice } from '../support/shared-device.ts'

const RDBAL = 0x2800
const RDBAH = 0x2804
/** Ports: the number of a register, and the register. */
const PORTS = 2
const MSIX_BAR = 3

describe.each(backends)('features on %s', (backend) => {
  const shared = shareDevice(backend)

  it('are probed, by name', () => {
    const { features } = shared.device
    const none = { get: false, set: false }
    expect(features).toMatchObject({
      vfToken: none,
      migration: none,
      migrationState: none,
      dmaLoggingStart: none,
      dmaLoggingStop: none,
      dmaLoggingReport: none,
      migrationDataSize: none,
      busMaster: none,
    })
    expect(Object.keys(features)).toHaveLength(12)
    // In every kernel that has one of the three.
    const { lowPowerEntry, lowPowerEntryWithWakeUp, lowPowerExit } = features
    expect([lowPowerEntryWithWakeUp, lowPowerExit]).toEqual([lowPowerEntry, lowPowerEntry])
    expect(lowPowerEntry.get).toBe(false)
  })

  it('that a device does not have are refused with what is missing', async () => {
    const { device } = shared
    expect(device.migration.support).toBeUndefined()
    expect(device.dmaLogging.supported).toBe(false)
    const range = { iova: 0x1000n, size: 4096 }
    for (const call of [
      () => device.migration.state,
      () => device.migration.setState('stopCopy'),
      () => device.migration.stopCopySize,
      () => device.dmaLogging.start({ ranges: [range] }),
      () => device.dmaLogging.report(range),
      () => device.dmaLogging.stop(),
      () => device.setVfToken(crypto.randomUUID()),
    ]) {
      expect((await errorOf('ERR_NOT_SUPPORTED', call)).message).toContain(`${device.address} has no `)
    }
  })

  it('are not asked for what makes no sense', async () => {
    const { device } = shared
    const range = { iova: 0x1000n, size: 4096 }
    for (const call of [
      () => device.migration.setState('error'),
      () => device.migration.setState('walking' as 'stop'),
      () => device.dmaLogging.start({ ranges: [] }),
      () => device.dmaLogging.start({ ranges: [range], pageSize: 3000 }),
      () => device.dmaLogging.start({ ranges: [{ ...range, size: 0 }] }),
      () => device.dmaLogging.report({ ...range, size: 100 }),
      () => device.setVfToken('secret'),
      () => device.exportDmaBuf({ region: 6 }),
      () => device.exportDmaBuf({ region: 0, offset: 100 }),
    ]) {
      await errorOf('ERR_INVALID_ARGUMENT', call)
    }
    await errorOf('ERR_IOVA_RANGE', () => device.dmaLogging.report({ iova: 2n ** 64n - 4096n, size: 8192 }))
    await errorOf('ERR_REGION', () => device.exportDmaBuf({ region: 0, size: 2 ** 30 }))
  })

  it('export a BAR as a dma-buf where the kernel does', async () => {
    const { device } = shared
    if (device.features.dmaBuf.get) {
      using memory = device.exportDmaBuf({ region: 0, size: 4096 })
      expect(memory.size).toBe(4096)
      expect(memory.fd).toBeGreaterThan(0)
    } else {
      const error = await errorOf('ERR_NOT_SUPPORTED', () => device.exportDmaBuf({ region: 0 }))
      expect(error.message).toContain('dma-buf')
    }
  })
})

describe.each(backends)('an ioeventfd on %s', (backend) => {
  const shared = shareDevice(backend)

  it('writes its value to the register, in its width, once for each signal', () => {
    const { device } = shared
    const window = device.bar(0).map()
    window.write32(RDBAL, 0)
    using event = device.ioeventfd({ region: 0, offset: RDBAL, width: 32, value: 0xabcd_ef10 })
    expect(window.read32(RDBAL)).toBe(0)
    event.signal()
    expect(window.read32(RDBAL)).toBe(0xabcd_ef10)
    window.write32(RDBAL, 0)
    event.signal()
    expect(window.read32(RDBAL)).toBe(0xabcd_ef10)
    window.close()
  })

  it('stands beside others with other values and registers, each of which ends by itself', async () => {
    const { device } = shared
    const window = device.bar(0).map()
    const events = [0x10, 0x20].map((value) => device.ioeventfd({ region: 0, offset: RDBAL, width: 32, value }))
    using high = device.ioeventfd({ region: 0, offset: RDBAH, width: 32, value: 7n })
    const write = (at: number) => {
      events[at]?.signal()
      return window.read32(RDBAL)
    }
    expect([write(0), write(1), write(0)]).toEqual([0x10, 0x20, 0x10])
    high.signal()
    expect(window.read32(RDBAH)).toBe(7)
    events[0]?.close()
    events[0]?.close()
    await errorOf('ERR_CLOSED', () => events[0]?.signal())
    await errorOf('ERR_CLOSED', () => events[0]?.fd)
    expect(write(1)).toBe(0x20)
    events[1]?.close()
    window.close()
  })

  it('writes 64 bits where the kernel does', async () => {
    const { device } = shared
    const options = { region: 0, offset: RDBAL, width: 64, value: 0x5_1234_5670n } as const
    let event: IoEventFd
    try {
      event = device.ioeventfd(options)
    } catch (error) {
      const { message } = await errorOf('ERR_REGION', () => Promise.reject(error))
      expect(message).toContain('no writes of that width')
      return
    }
    const window = device.bar(0).map()
    event.signal()
    expect([window.read32(RDBAL), window.read32(RDBAH)]).toEqual([0x1234_5670, 5])
    event.close()
    window.close()
  })

  it('writes to ports, too', () => {
    const { device } = shared
    device.config.command.ioSpaceEnable = true
    const window = device.bar(0).map()
    const ports = device.bar(PORTS).map()
    window.write32(RDBAL, 0)
    ports.write32(0, RDBAL)
    using event = device.ioeventfd({ region: PORTS, offset: 4, width: 32, value: 0x7654_3210 })
    event.signal()
    expect(window.read32(RDBAL)).toBe(0x7654_3210)
    ports.close()
    window.close()
  })

  it('is refused where it stands already, and in the MSI-X table', async () => {
    const { device } = shared
    const options = { region: 0, offset: RDBAL, width: 32, value: 1 } as const
    {
      using _event = device.ioeventfd(options)
      expect((await errorOf('ERR_REGION', () => device.ioeventfd(options))).message).toContain('already')
    }
    device.ioeventfd(options).close()
    const table = await errorOf('ERR_REGION', () => device.ioeventfd({ ...options, region: MSIX_BAR, offset: 0 }))
    expect(table.message).toContain('MSI-X')
  })

  it('is refused for what is no register', async () => {
    const { device } = shared
    const good = { region: 0, offset: RDBAL, width: 32, value: 1 } as const
    await errorOf('ERR_OUT_OF_BOUNDS', () => device.ioeventfd({ ...good, offset: device.bar(0).size }))
    await errorOf('ERR_OUT_OF_BOUNDS', () => device.ioeventfd({ ...good, offset: -4 }))
    await errorOf('ERR_MISALIGNED', () => device.ioeventfd({ ...good, offset: RDBAL + 2 }))
    await errorOf('ERR_REGION', () => device.ioeventfd({ ...good, region: 5 }))
    for (const wrong of [
      { ...good, region: 6 },
      { ...good, width: 24 as 32 },
      { ...good, value: 2 ** 32 },
      { ...good, value: -1 },
      { ...good, value: 0.5 },
      { ...good, offset: 0.5 },
    ]) {
      await errorOf('ERR_INVALID_ARGUMENT', () => device.ioeventfd(wrong))
    }
  })

  it('goes with its device, and leaves nothing behind', async () => {
    const before = processState()
    let event: ReturnType<typeof shared.device.ioeventfd>
    {
      await using opened = await openDevice('e1000', backend)
      event = opened.device.ioeventfd({ region: 0, offset: RDBAL, width: 32, value: 0x10 })
      event.signal()
      expect(opened.device.bar(0).map().read32(RDBAL)).toBe(0x10)
    }
    expect(event.closed).toBe(true)
    await errorOf('ERR_CLOSED', () => event.signal())
    event.close()
    expect(processState()).toEqual(before)
  })
})
