import type { Device, InterruptKind, InterruptVector } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { DeviceSignal } from '../../packages/vfio/src/interrupts/device-signal.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { NICS } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'

// 8254x SDM 13.4.17 and on; 82574 10.2.4.
const ICR = 0x00c0
const ICS = 0x00c8
const IMS = 0x00d0
const IMC = 0x00d8
const IVAR = 0x00e4
const CTRL_EXT = 0x0018
const LSC = 1 << 2
const OTHER = 1 << 24
const OTHER_TO_VECTOR_0 = 1 << 19
const PBA_SUPPORT = 2 ** 31
const SOON = { timeout: 5000 }
const REPEATS = process.env['OPENBAR_FULL'] === '1' ? 500 : 20
/** QEMU's 82574L lets a vector interrupt again some 130 us after the last time, and aborts when MSI-X is off by then. */
const THROTTLE_MS = 50

/** A NIC that interrupts when it is told to. */
class Interrupting {
  readonly vector: InterruptVector
  readonly #bar0

  constructor(device: Device, kind: InterruptKind) {
    this.#bar0 = device.bar(0).map()
    this.quiet()
    device.config.command.busMasterEnable = true
    this.vector = device.interrupts.enable(kind).vectors[0]
    if (kind === 'msix') {
      this.#bar0.write32(CTRL_EXT, PBA_SUPPORT)
      this.#bar0.write32(IVAR, OTHER_TO_VECTOR_0)
    }
    this.#listen()
  }

  raise(): void {
    this.#bar0.write32(ICS, LSC)
  }

  /** Takes the cause away, so that the next can be raised. */
  acknowledge(): void {
    this.quiet()
    this.#listen()
  }

  quiet(): void {
    this.#bar0.write32(IMC, 0xffff_ffff)
    this.#bar0.read32(ICR)
    this.#bar0.write32(ICR, 0xffff_ffff)
  }

  #listen(): void {
    this.#bar0.write32(IMS, LSC | OTHER)
  }
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
const pause = () => new Promise((resolve) => setTimeout(resolve, THROTTLE_MS))
const CASES = NICS.flatMap(({ model, chip, kinds }) => kinds.map((kind) => ({ model, chip, kind })))
const MESSAGES = CASES.filter(({ kind }) => kind !== 'intx')

describe.each(backends)('interrupts on %s', (backend) => {
  it.each(CASES)(
    'come for each that is raised, and all who listen are told of the same: $chip, $kind',
    async ({ model, kind }) => {
      await using opened = await openDevice(model, backend)
      const nic = new Interrupting(opened.device, kind)
      const { vector } = nic
      const called: number[] = []
      const iterated: number[] = []
      const stop = new AbortController()
      using _subscription = vector.subscribe((count) => called.push(count))
      const reader = (async () => {
        for await (const count of vector.events({ signal: stop.signal })) iterated.push(count)
      })()
      for (let repeat = 1; repeat <= REPEATS; repeat += 1) {
        const waiting = vector.wait(SOON)
        nic.raise()
        // As long as its cause is there, QEMU's 82574L may send a message again.
        if (kind === 'intx') expect(await waiting).toBe(1)
        else expect(await waiting).toBeGreaterThan(0)
        nic.acknowledge()
        if (kind === 'intx') vector.unmask()
        expect(called.length).toBeGreaterThanOrEqual(repeat)
      }
      nic.quiet()
      await pause()
      expect(sum(iterated)).toBe(sum(called))
      if (kind === 'intx') expect(sum(called)).toBe(REPEATS)
      stop.abort()
      await reader
    },
  )

  it.each(NICS)('stay masked after INTx until unmasked, and nothing is lost: $chip', async ({ model }) => {
    await using opened = await openDevice(model, backend)
    const nic = new Interrupting(opened.device, 'intx')
    const { vector } = nic
    expect(vector.masked).toBe(false)
    nic.raise()
    await expect.poll(() => vector.masked).toBe(true)
    expect(await vector.wait(SOON)).toBe(1)
    // Still asserted: unmasking delivers, and masks, once more.
    vector.unmask()
    expect(await vector.wait(SOON)).toBe(1)
    expect(vector.masked).toBe(true)
    const silent = await errorOf('ERR_TIMEOUT', () => vector.wait({ timeout: 50 }))
    expect(silent.hint).toContain('vector.unmask()')
    nic.acknowledge()
    vector.unmask()
    expect(vector.masked).toBe(false)
    vector.mask()
    nic.raise()
    await errorOf('ERR_TIMEOUT', () => vector.wait({ timeout: 50 }))
    vector.unmask()
    expect(await vector.wait(SOON)).toBe(1)
    nic.acknowledge()
    vector.unmask()
    vector.trigger()
    expect([await vector.wait(SOON), vector.masked]).toEqual([1, false])
    await errorOf('ERR_NOT_SUPPORTED', () => vector.parkLossy())
  })

  it.each(MESSAGES)('are lost while parked, and come again afterwards: $chip, $kind', async ({ model, kind }) => {
    await using opened = await openDevice(model, backend)
    const nic = new Interrupting(opened.device, kind)
    const { vector } = nic
    await errorOf('ERR_NOT_SUPPORTED', () => vector.mask())
    await errorOf('ERR_NOT_SUPPORTED', () => vector.unmask())
    vector.parkLossy()
    for (let time = 0; time < 3; time += 1) {
      vector.trigger()
      nic.raise()
      nic.acknowledge()
      await pause()
    }
    const parked = await errorOf('ERR_TIMEOUT', () => vector.wait({ timeout: 50 }))
    expect(parked.hint).toContain('vector.unpark()')
    vector.unpark()
    // Where the device has kept a pending bit, one of the three comes now.
    const pending = await vector.wait({ timeout: 100 }).catch(() => 0)
    expect(pending).toBeLessThanOrEqual(1)
    nic.acknowledge()
    nic.raise()
    expect(await vector.wait(SOON)).toBeGreaterThan(0)
    nic.quiet()
    await pause()
  })

  it('are triggered together, and only those that are on', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { interrupts } = opened.device
    await errorOf('ERR_INTERRUPT', () => interrupts.trigger([0]))
    const { vectors } = interrupts.enable('msix', { vectors: 4, reserve: 1 })
    interrupts.trigger([3, 1])
    interrupts.trigger([1])
    interrupts.trigger([])
    expect(await vectors[1]!.wait(SOON)).toBe(2)
    expect(await vectors[3]!.wait(SOON)).toBe(1)
    for (const quiet of [vectors[0], vectors[2]!]) await errorOf('ERR_TIMEOUT', () => quiet.wait({ timeout: 20 }))
    const error = await errorOf('ERR_INTERRUPT', () => interrupts.trigger([0, 4]))
    expect(error.message).toContain('vectors 0 to 3 are on')
    await errorOf('ERR_INVALID_ARGUMENT', () => interrupts.trigger([-1]))
  })

  it('leave nothing behind, however often they are switched on and off', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { interrupts } = opened.device
    const before = processState()
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      for (const kind of ['intx', 'msi', 'msix'] as const) {
        const [vector] = interrupts.enable(kind).vectors
        vector.subscribe(() => {})
        interrupts.disable()
        interrupts.disable()
      }
    }
    expect(processState()).toEqual(before)
  })

  it.each(NICS)('say that the device was reset: $chip', async ({ model }) => {
    await using opened = await openDevice(model, backend)
    const { device } = opened
    if (!device.info.resettable) return
    const [vector] = device.interrupts.enable('intx').vectors
    const waiting = errorOf('ERR_CLOSED', () => vector.wait({ timeout: 60_000 }))
    device.reset()
    expect((await waiting).message).toContain('the device was reset')
    expect(device.interrupts.enabled).toBeUndefined()
  })
})

describe.each(backends)("the kernel's own events on %s", (backend) => {
  it.each(NICS)('are told of: $chip', async ({ model }) => {
    await using opened = await openDevice(model, backend)
    const { interrupts } = opened.device
    expect(interrupts.info('req').count).toBe(1)
    // Errors are reported over PCI Express, which the 82540EM is not on.
    expect(interrupts.info('err').count).toBe(model === 'e1000e' ? 1 : 0)
    await errorOf('ERR_INVALID_ARGUMENT', () => interrupts.info('toString' as InterruptKind))
    for (const kind of ['err', 'req']) {
      await errorOf('ERR_INVALID_ARGUMENT', () => interrupts.enable(kind as InterruptKind))
    }
  })

  it.each(['err', 'req'] as const)('call back, and by polling, beside other interrupts: %s', async (kind) => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    device.interrupts.enable('msix')
    const before = processState()
    const heard: number[] = []
    const signal = DeviceSignal.arm(device.attachment.fd, device.address, kind, (count) => heard.push(count))
    signal!.trigger()
    await expect.poll(() => heard).toEqual([1])
    signal!.trigger()
    signal!.trigger()
    signal!.poll()
    expect(heard).toEqual([1, 2])
    signal!.close()
    signal!.close()
    signal!.trigger()
    signal!.poll()
    expect(heard).toEqual([1, 2])
    expect(processState()).toEqual(before)
  })

  it('are not there for errors of a device that is not on PCI Express', async () => {
    await using opened = await openDevice('e1000', backend)
    const { device } = opened
    const before = processState()
    expect(DeviceSignal.arm(device.attachment.fd, device.address, 'err', () => {})).toBeUndefined()
    expect(processState()).toEqual(before)
  })
})
