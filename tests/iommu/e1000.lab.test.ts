import { setTimeout as sleep } from 'node:timers/promises'
import { E1000 } from '@openbar/drivers-e1000'
import { type Device, type InterruptKind, waitUntil } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { echo, type PingRoute, resolve } from '../../examples/net/ping-host.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { NICS } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'

const NEVER = new AbortController().signal
const FULL = process.env['OPENBAR_FULL'] === '1'
const ECHOES = FULL ? 1000 : 20
const RESTARTS = FULL ? 50 : 3
const CASES = NICS.flatMap(({ model, chip, kinds }) => kinds.map((kind) => ({ model, chip, kind })))

async function gatewayOf(route: PingRoute): Promise<string> {
  const mac = await resolve(route)
  if (mac === undefined) throw new Error(`${route.to} does not answer.`)
  return mac
}

const MDIC = 0x0020
const MDIC_WRITE_BMCR = (1 << 26) | (1 << 21)
const MDIC_READY = 1 << 28

/** Has the PHY give back what is sent (BMCR, IEEE 802.3, 22.2.4.1); a reset of the MAC does not end that, disposing does. */
async function loopBack(device: Device): Promise<AsyncDisposable> {
  const bar0 = device.bar(0).map()
  const writeBmcr = async (value: number) => {
    bar0.write32(MDIC, MDIC_WRITE_BMCR | value)
    await waitUntil(() => (bar0.read32(MDIC) & MDIC_READY) !== 0, { timeout: 1000, waitedFor: 'the PHY' })
  }
  await writeBmcr(0x4140)
  return { [Symbol.asyncDispose]: () => writeBmcr(0x1140) }
}

describe.each(backends)('the e1000 driver on %s', (backend) => {
  const open = (model: 'e1000' | 'e1000e') => openDevice(model, backend)
  const withNic = async (
    { model, kind }: { model: 'e1000' | 'e1000e'; kind?: InterruptKind },
    run: (nic: E1000, route: PingRoute) => Promise<void>,
  ) => {
    await using opened = await open(model)
    const { device } = opened
    await using nic = await E1000.start(device, kind === undefined ? {} : { interrupt: kind })
    await nic.waitForLink({ timeout: 10_000 })
    await run(nic, { nic, from: '10.0.2.15', to: '10.0.2.2', signal: NEVER })
  }

  it.each(CASES)('pings the gateway, each reply by interrupt: $chip, $kind', async ({ model, kind }) => {
    await withNic({ model, kind }, async (nic, route) => {
      const gateway = await gatewayOf(route)
      const before = nic.interrupts
      for (let sequence = 1; sequence <= ECHOES; sequence += 1) {
        expect(await echo(route, gateway, sequence)).toMatchObject({ sequence, bytes: 64 })
      }
      // A frame that comes while another is handled, such as a question of the gateway, is polled with it.
      expect(nic.interrupts - before).toBeGreaterThan(ECHOES / 2)
      expect(nic.interruptKind).toBe(kind)
    })
  })

  it.each(NICS)('knows its MAC address from an EEPROM whose checksum is right: $chip', async ({ model, chip }) => {
    await withNic({ model }, async (nic) => {
      expect(nic.model).toBe(chip)
      const low = nic.registers.RAL.at(0).read()
      const high = nic.registers.RAH.at(0).read()
      const bytes = [low, low >>> 8, low >>> 16, low >>> 24, high, high >>> 8].map((word) => word & 0xff)
      expect(nic.mac).toBe(bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'))
      expect(nic.mac).toMatch(/^52:54:00:/)
    })
  })

  it.each(NICS)('counts frames and bytes, and never goes back: $chip', async ({ model, chip }) => {
    await withNic({ model }, async (nic, route) => {
      const gateway = await gatewayOf(route)
      const before = nic.statistics()
      for (let sequence = 1; sequence <= 5; sequence += 1) await echo(route, gateway, sequence)
      const after = nic.statistics()
      expect(after.transmittedPackets - before.transmittedPackets).toBe(5n)
      // 14 bytes of Ethernet, 20 of IPv4, 64 of ICMP; and 4 of CRC, which QEMU's 82574L does not count.
      expect(after.transmittedBytes - before.transmittedBytes).toBe(5n * (chip === '82574L' ? 98n : 102n))
      expect(after.receivedPackets - before.receivedPackets).toBeGreaterThanOrEqual(5n)
      expect(nic.statistics().receivedPackets).toBeGreaterThanOrEqual(after.receivedPackets)
      expect(after.missedPackets).toBe(0n)
    })
  })

  it.each(NICS)('goes round its rings many times with the smallest ones: $chip', async ({ model }) => {
    await using opened = await open(model)
    const { device } = opened
    await using nic = await E1000.start(device, { receiveDescriptors: 8, transmitDescriptors: 8 })
    await nic.waitForLink({ timeout: 10_000 })
    const route = { nic, from: '10.0.2.15', to: '10.0.2.2', signal: NEVER }
    const gateway = await gatewayOf(route)
    for (let sequence = 1; sequence <= 2 * ECHOES; sequence += 1) {
      expect(await echo(route, gateway, sequence), `echo ${sequence}`).toBeDefined()
    }
  })

  it.each(NICS)('stops and starts again on the same device: $chip', async ({ model }) => {
    await using opened = await open(model)
    const { device } = opened
    let mappings: number | undefined
    for (let round = 0; round < RESTARTS; round += 1) {
      await using nic = await E1000.start(device)
      await nic.waitForLink({ timeout: 10_000 })
      await gatewayOf({ nic, from: '10.0.2.15', to: '10.0.2.2', signal: NEVER })
      mappings ??= device.domain.snapshot().mappings.length
      expect(device.domain.snapshot().mappings).toHaveLength(mappings)
    }
    expect(device.domain.snapshot().mappings).toEqual([])
    expect(device.config.command.busMasterEnable).toBe(false)
    expect(device.interrupts.enabled).toBeUndefined()
  })

  it.each(NICS)('leaves nothing behind when its device or domain is closed first: $chip', async ({ model }) => {
    const rounds = async () => {
      const { device, domain } = await open(model)
      const nic = await E1000.start(device)
      const reader = errorOf('ERR_CLOSED', async () => {
        for await (const _ of nic.frames()) throw new Error('a frame from nowhere')
      })
      await device.close()
      await reader
      await errorOf('ERR_CLOSED', () => nic.send(new Uint8Array(60)))
      await nic.close()
      await nic.close()
      domain.close()
    }
    await rounds()
    const before = processState()
    await rounds()
    expect(processState()).toEqual(before)
  })

  it.each([
    {
      how: 'memory decoding was switched off',
      rest: (device: Device) => {
        device.config.command.memorySpaceEnable = false
      },
    },
    { how: 'a function level reset', rest: (device: Device) => device.reset() },
  ])('takes the bus from the NIC also after $how', async ({ rest }) => {
    await using opened = await open('e1000e')
    const { device } = opened
    const nic = await E1000.start(device)
    rest(device)
    await nic.close()
    expect(device.config.command.busMasterEnable).toBe(false)
    expect(device.interrupts.enabled).toBeUndefined()
    expect(device.domain.snapshot().mappings).toEqual([])
  })

  it.each(NICS)('starts a NIC whose PHY a predecessor has left in loopback: $chip', async ({ model }) => {
    await using opened = await open(model)
    // Not disposed of: that is what a program that was killed leaves.
    await loopBack(opened.device)
    await using nic = await E1000.start(opened.device)
    await nic.waitForLink({ timeout: 10_000 })
    await gatewayOf({ nic, from: '10.0.2.15', to: '10.0.2.2', signal: NEVER })
  })

  it.each(NICS)('lets timers have their turn in a flood of frames: $chip', async ({ model }) => {
    await using opened = await open(model)
    const { device } = opened
    await using nic = await E1000.start(device)
    await nic.waitForLink({ timeout: 10_000 })
    await using _loopback = await loopBack(device)
    // QEMU's 82540EM receives nothing for a second after its receiver was switched on.
    if (model === 'e1000') await sleep(1100)
    await nic.send(Uint8Array.from({ length: 60 }, (_, index) => (index < 6 ? 0xff : index)))
    let frames = 0
    // Each frame that is taken is back in the ring before the next is asked for.
    for await (const frame of nic.frames({ signal: AbortSignal.timeout(500) })) {
      frames += 1
      await nic.send(frame)
    }
    expect(frames).toBeGreaterThan(64)
  })

  it('refuses frames and rings of the wrong size', async () => {
    await using opened = await open('e1000e')
    const { device } = opened
    await errorOf('ERR_INVALID_ARGUMENT', () => E1000.start(device, { receiveDescriptors: 100 }))
    await errorOf('ERR_INVALID_ARGUMENT', () => E1000.start(device, { transmitDescriptors: 8192 }))
    expect(device.domain.snapshot().mappings).toEqual([])
    await using nic = await E1000.start(device)
    await errorOf('ERR_INVALID_ARGUMENT', () => nic.send(new Uint8Array(13)))
    await errorOf('ERR_INVALID_ARGUMENT', () => nic.send(new Uint8Array(1515)))
  })
})
