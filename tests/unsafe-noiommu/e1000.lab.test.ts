import { E1000 } from '@openbar/drivers-e1000'
import type { BackendName, Domain } from '@openbar/iommu'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echo, resolve } from '../../examples/net/ping-host.ts'
import { backends } from '../support/backends.ts'
import { startChild } from '../support/child.ts'
import { errorOf } from '../support/error-of.ts'
import { hugepagePool, setHugepages } from '../support/hugepage-pool.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'

const FULL = process.env['OPENBAR_FULL'] === '1'
const ECHOES = FULL ? 1000 : 20
const MINUTE = 60_000
const KILLS = FULL ? 50 : 3
const HUGE = 2 * 1024 * 1024
/** A NIC's driver takes four: two rings, and the buffers of each. */
const POOL = 4
const CASES = NICS.flatMap(({ model, chip, kinds }) => kinds.map((kind) => ({ model, chip, kind })))

async function ping(nic: E1000, echoes: number): Promise<void> {
  await nic.waitForLink({ timeout: 10_000 })
  const route = { nic, from: '10.0.2.15', to: '10.0.2.2', signal: new AbortController().signal }
  const gateway = await resolve(route)
  if (gateway === undefined) throw new Error('The gateway does not answer.')
  for (let sequence = 1; sequence <= echoes; sequence += 1) {
    expect(await echo(route, gateway, sequence)).toMatchObject({ sequence, bytes: 64 })
  }
}

function bytesAllocated(domain: Domain): number {
  return domain.snapshot().mappings.reduce((sum, { size }) => sum + size, 0)
}

/** Keeps a NIC at DMA until it is killed. */
const driving = (address: string, backend: BackendName) => `
  import { E1000 } from '@openbar/drivers-e1000'
  import { Domain } from '@openbar/iommu'
  import { Device } from '@openbar/vfio'
  import { resolve } from '${new URL('../../examples/net/ping-host.ts', import.meta.url).href}'
  const domain = await Domain.open({ backend: '${backend}' })
  const device = await Device.open('${address}', { domain })
  const nic = await E1000.start(device)
  await nic.waitForLink({ timeout: 10_000 })
  const route = { nic, from: '10.0.2.15', to: '10.0.2.2', signal: new AbortController().signal }
  const work = async () => {
    for (;;) if (await resolve(route) !== undefined) return
  }
  await work()
  console.log('dma')
  setImmediate(async () => {
    for (;;) await work()
  })`

describe.each(backends)('the e1000 driver on %s', (backend) => {
  beforeAll(() => setHugepages(POOL))
  afterAll(() => setHugepages(0))

  it.each(CASES)('pings the gateway over physical addresses: $chip, $kind', async ({ model, kind }) => {
    const run = async () => {
      await using opened = await openDevice(model, backend)
      const { device, domain } = opened
      await using nic = await E1000.start(device, { interrupt: kind })
      const before = nic.interrupts
      await ping(nic, ECHOES)
      expect(nic.interrupts - before).toBeGreaterThan(ECHOES / 2)
      expect([bytesAllocated(domain), hugepagePool(HUGE).free]).toEqual([POOL * HUGE, 0])
      await nic.close()
      expect(device.config.command.busMasterEnable).toBe(false)
      expect([bytesAllocated(domain), hugepagePool(HUGE).free]).toEqual([0, POOL])
    }
    await run()
    const before = processState()
    await run()
    expect(processState()).toEqual(before)
  })

  it.each(NICS)('gives its memory back when its device or domain is closed first: $chip', async ({ model }) => {
    const { device, domain } = await openDevice(model, backend)
    const nic = await E1000.start(device)
    domain.close()
    expect(hugepagePool(HUGE).free).toBe(0)
    await device.close()
    expect(hugepagePool(HUGE).free).toBe(POOL)
    await nic.close()
  })

  it('stops, and says why its memory stays, while another device of its domain is bus master', async () => {
    await using opened = await openDevice('e1000', backend)
    const { device, domain } = opened
    await using other = await Device.open(nicAddress('e1000e'), { domain, bind: true })
    other.config.command.busMasterEnable = true
    const nic = await E1000.start(device)
    const refused = { code: 'ERR_DOMAIN_STATE', message: expect.stringContaining(other.address) }
    await expect(nic.close()).rejects.toMatchObject({ error: refused, suppressed: refused })
    expect([device.config.command.busMasterEnable, device.interrupts.enabled]).toEqual([false, undefined])
    expect(bytesAllocated(domain)).toBe(POOL * HUGE)
    for (const last of [device, other]) await last.close()
    domain.close()
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it.each(NICS)(
    `leaves a NIC that can be had at once when it is killed, ${KILLS} times: $chip`,
    async ({ model }) => {
      const address = nicAddress(model)
      await using _binding = await bindDriver(address, 'vfio-pci')
      for (let round = 0; round < KILLS; round += 1) {
        {
          await using child = await startChild(driving(address, backend))
          expect([child.line, hugepagePool(HUGE).free]).toEqual(['dma', 0])
          const error = await errorOf('ERR_GROUP_BUSY', () => openDevice(model, backend))
          expect(error.context.holders).toMatchObject([{ pid: child.pid }])
        }
        await using opened = await openDevice(model, backend)
        expect(opened.device.config.command.busMasterEnable).toBe(false)
        expect(hugepagePool(HUGE).free).toBe(POOL)
        await using nic = await E1000.start(opened.device)
        await ping(nic, 1)
      }
    },
    20 * MINUTE,
  )

  it('leaves nothing behind when there are too few hugepages', async () => {
    await using opened = await openDevice('e1000e', backend)
    const other = opened.domain.allocate(1)
    await errorOf('ERR_NO_HUGEPAGES', () => E1000.start(opened.device))
    expect([bytesAllocated(opened.domain), hugepagePool(HUGE).free]).toEqual([HUGE, POOL - 1])
    expect(opened.device.config.command.busMasterEnable).toBe(false)
    other.close()
  })
})
