import { setTimeout as sleep } from 'node:timers/promises'
import { type BackendName, Domain } from '@openbar/iommu'
import { describeLab, type GuestQmp, openQmp } from '@openbar/lab/guest'
import { Device, type DeviceEvent } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { processState } from '../support/process-state.ts'

const PATIENCE_MS = 10_000
const MINUTE = 60_000
const COMMAND = 0x04
/** SERR# Enable (PCI Express Base 5.0, 7.5.1.1.3). */
const REPORT_SERIOUS = 1 << 8
const DEVICE_CONTROL = 8
/** Correctable, non-fatal, fatal, unsupported request: reporting of each (7.5.3.4). */
const REPORT_ALL = 0xf

const [reporting] = describeLab().devices
if (reporting?.address === undefined) throw new Error('This guest has no device behind a port.')
const { id, address } = reporting

/** A device that tells its port of its errors, which tells the kernel. */
async function open(backend: BackendName): Promise<AsyncDisposable & { device: Device; events: DeviceEvent[] }> {
  await using opening = new AsyncDisposableStack()
  const domain = opening.use(await Domain.open({ backend }))
  const device = opening.use(await Device.open(address!, { domain, bind: true }))
  const { access } = device.config
  const control = (device.config.capabilities().find('pciExpress')?.offset ?? 0) + DEVICE_CONTROL
  access.write16(control, access.read16(control) | REPORT_ALL)
  access.write16(COMMAND, access.read16(COMMAND) | REPORT_SERIOUS)
  const events: DeviceEvent[] = []
  device.watch((event) => events.push(event))
  const opened = opening.move()
  return { device, events, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

describe.each(backends)('an error that a device reports, on %s', (backend) => {
  let qmp: GuestQmp
  beforeAll(async () => {
    qmp = await openQmp()
  })
  afterAll(() => qmp[Symbol.dispose]())

  /** Has the device report a request that it does not support: an error that nobody has corrected, and that is not fatal. */
  const reportError = () =>
    qmp.execute('human-monitor-command', { 'command-line': `pcie_aer_inject_error ${id} UNSUP` })

  it(
    'is an event, which the program dismisses or answers by a reset; then the device stays',
    async () => {
      await using opened = await open(backend)
      const { device, events } = opened
      await reportError()
      await expect.poll(() => events.length, { timeout: 10_000 }).toBe(1)
      const [event] = events
      if (event?.type !== 'error') throw new Error('an event of another type')
      expect(event.timeLeft).toBeGreaterThan(PATIENCE_MS / 2)
      expect(event.timeLeft).toBeLessThanOrEqual(PATIENCE_MS)
      expect(device.poll()).toBe(true)
      event.dismiss()
      // Told anew once the one before is answered.
      await reportError()
      await expect.poll(() => events.length, { timeout: 10_000 }).toBe(2)
      device.reset()
      await sleep(PATIENCE_MS + 1000)
      expect(device.closed).toBe(false)
      expect(events.map(({ type }) => type)).toEqual(['error', 'error'])
      expect(device.config.access.read16(COMMAND) & REPORT_SERIOUS).toBe(REPORT_SERIOUS)
    },
    MINUTE,
  )

  it(
    'closes the device of a program that ignores it, after ten seconds, and says so',
    async () => {
      const before = processState()
      const opened = await open(backend)
      const { device, events } = opened
      const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
      await reportError()
      await expect.poll(() => events.length, { timeout: 10_000 }).toBe(1)
      const told = performance.now()
      await expect.poll(() => device.closed, { timeout: PATIENCE_MS + 5000 }).toBe(true)
      expect(performance.now() - told).toBeGreaterThan(PATIENCE_MS - 1000)
      const error = await errorOf('ERR_CLOSED', () => device.config)
      expect(error.message).toContain('neither reset it nor dismissed the error within 10 s')
      expect(String(await warned)).toContain('it reported an error')
      await opened[Symbol.asyncDispose]()
      expect(processState()).toEqual(before)
    },
    MINUTE,
  )
})
