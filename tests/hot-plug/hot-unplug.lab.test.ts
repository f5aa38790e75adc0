import { existsSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { E1000 } from '@openbar/drivers-e1000'
import { Domain } from '@openbar/iommu'
import { describeLab, type GuestQmp, openQmp } from '@openbar/lab/guest'
import { Device, isOpenbarError, waitUntil } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { processState } from '../support/process-state.ts'

const ROUNDS = process.env['OPENBAR_FULL'] === '1' ? 50 : 3
const MINUTE = 60_000
const BROADCAST = 'ff:ff:ff:ff:ff:ff'

const [nic] = describeLab().devices
if (nic === undefined) throw new Error('This guest has no NIC behind a port.')
const { id, address, qemuBus } = nic
const there = () => existsSync(`/sys/bus/pci/devices/${address}`)

/** An ARP request that asks the network for its gateway (RFC 826), so that answers come in as well. */
function arpRequest(from: string): Uint8Array {
  const bytes = (mac: string) => mac.split(':').map((byte) => Number.parseInt(byte, 16))
  const question = [0, 1, 8, 0, 6, 4, 0, 1, ...bytes(from), 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2]
  const frame = new Uint8Array(60)
  frame.set([...bytes(BROADCAST), ...bytes(from), 8, 6, ...question])
  return frame
}

/** Sends and receives until the device is taken away, and tells how many frames went each way. */
async function keepBusy(driver: E1000): Promise<{ sent: number; received: number }> {
  const counted = { sent: 0, received: 0 }
  const frame = arpRequest(driver.mac)
  const receive = async () => {
    for await (const _frame of driver.frames()) counted.received += 1
  }
  const send = async () => {
    for (;;) {
      await driver.send(frame)
      await nextTurn()
      counted.sent += 1
    }
  }
  for (const { reason } of (await Promise.allSettled([receive(), send()])) as PromiseRejectedResult[]) {
    if (reason !== undefined && !isOpenbarError(reason, 'ERR_CLOSED')) throw reason
  }
  return counted
}

describe.each(backends)('unplugging a device under traffic, on %s', (backend) => {
  let qmp: GuestQmp
  beforeAll(async () => {
    qmp = await openQmp()
  })
  afterAll(() => qmp[Symbol.dispose]())

  it(
    `is told to the program, which closes, and the kernel finishes, ${ROUNDS} times`,
    async () => {
      const before = processState()
      for (let round = 0; round < ROUNDS; round += 1) {
        using domain = await Domain.open({ backend })
        const device = await Device.open(address, { domain, bind: true })
        const driver = await E1000.start(device)
        await driver.waitForLink({ timeout: 10_000 })
        const window = device.bar(0).map()
        const busy = keepBusy(driver)
        await waitUntil(() => driver.interrupts > 2, { timeout: 10_000, waitedFor: 'traffic' })
        const { promise: asked, resolve } = Promise.withResolvers<string>()
        device.watch(({ type }) => resolve(type))
        const removed = qmp.waitFor('DEVICE_DELETED', { where: (data) => data['device'] === id, timeoutMs: 30_000 })
        await qmp.execute('device_del', { id })
        expect(await asked).toBe('release-request')
        expect(there()).toBe(true)
        await driver.close()
        await device.close()
        await removed
        await waitUntil(() => !there(), { timeout: 10_000, waitedFor: `${address} to be removed` })
        const { sent, received } = await busy
        expect(sent).toBeGreaterThan(0)
        expect(received).toBeGreaterThan(0)
        await errorOf('ERR_CLOSED', () => window.read32(0x8))
        expect(domain.snapshot().devices).toEqual([])
        await qmp.execute('device_add', { driver: nic.model, id, bus: qemuBus, netdev: 'net0' })
        await waitUntil(there, { timeout: 10_000, waitedFor: `${address} to come back` })
      }
      expect(processState()).toEqual(before)
    },
    20 * MINUTE,
  )

  it('comes back from Device.open with the address, once it is gone', async () => {
    const removed = qmp.waitFor('DEVICE_DELETED', { where: (data) => data['device'] === id, timeoutMs: 30_000 })
    await qmp.execute('device_del', { id })
    await removed
    await waitUntil(() => !there(), { timeout: 10_000, waitedFor: `${address} to be removed` })
    expect((await errorOf('ERR_NO_DEVICE', () => Device.open(address, { bind: true }))).message).toContain(address)
    await qmp.execute('device_add', { driver: nic.model, id, bus: qemuBus, netdev: 'net0' })
    await waitUntil(there, { timeout: 10_000, waitedFor: `${address} to come back` })
  })
})
