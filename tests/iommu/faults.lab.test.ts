import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Domain, type FaultEvent, FaultReader } from '@openbar/iommu'
import { Device, waitUntil } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { FOUR_BYTES, faultRoom, WHOLE_FRAME } from '../support/fault-room.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { loopFrame, RawNic } from '../support/raw-nic.ts'
import { expectedFault, expectReport, faultsAreReported, firstFault } from '../support/seen-faults.ts'
import { toJson } from '../support/to-json.ts'

const PAGE = 4096n
/** Mapped up to here. */
const EDGE = 0x4000_1000n
const FRAME = 60
const NOBODY = 65534

/** A NIC in a domain of its own, that can be made to fault. */
class Culprit implements AsyncDisposable {
  readonly address: string
  readonly #stack: AsyncDisposableStack
  readonly #nic: RawNic
  readonly #from: bigint

  private constructor(stack: AsyncDisposableStack, address: string, nic: RawNic, from: bigint) {
    this.#stack = stack
    this.address = address
    this.#nic = nic
    this.#from = from
  }

  static async open(model: 'e1000' | 'e1000e', backend: Domain['backend']): Promise<Culprit> {
    await using opening = new AsyncDisposableStack()
    const domain = opening.use(await Domain.open({ backend }))
    const device = opening.use(await Device.open(nicAddress(model), { domain, bind: true }))
    const nic = opening.use(await RawNic.start(device))
    domain.allocate(Number(PAGE), { iova: EDGE - PAGE })
    const sent = domain.allocate(FRAME)
    sent.bytes.set(loopFrame(FRAME, 0x55))
    return new Culprit(opening.move(), device.address, nic, sent.iova)
  }

  /** Writes four bytes beyond what is mapped, after those before. */
  faultOnce(): Promise<number> {
    return this.#nic.transfer({ from: this.#from, length: FRAME, into: EDGE - BigInt(FRAME) + 4n })
  }

  /** Writes a whole frame where nothing is mapped. */
  fault(): Promise<number> {
    return this.#nic.transfer({ from: this.#from, length: FRAME, into: EDGE })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

const writeAtEdge = (device: string) => expectedFault({ device, iova: EDGE, access: 'write', mapped: false })

/** All that a watcher is told until it is ended. */
async function collect(watch: AsyncIterable<FaultEvent>): Promise<FaultEvent[]> {
  const events: FaultEvent[] = []
  for await (const event of watch) events.push(event)
  return events
}

/** What a watcher is told, as it comes. */
function listen(watch: AsyncIterable<FaultEvent>): readonly FaultEvent[] {
  const events: FaultEvent[] = []
  void (async () => {
    for await (const event of watch) events.push(event)
  })()
  return events
}

const openFiles = () => readdirSync('/proc/self/fd').length

const secondsSinceBoot = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])

/** Sets a kernel parameter for a test. */
function withSysctl(name: string, value: string): Disposable {
  const path = `/proc/sys/kernel/${name}`
  const before = readFileSync(path, 'utf8')
  // One of them, printk_devkmsg, wants the newline.
  writeFileSync(path, `${value}\n`)
  return { [Symbol.dispose]: () => writeFileSync(path, before) }
}

/** Writes records to the kernel's log, as any program with the right may. */
function writeToLog(records: Iterable<string>): void {
  const fd = openSync('/dev/kmsg', constants.O_WRONLY)
  try {
    for (const record of records) writeSync(fd, record)
  } finally {
    closeSync(fd)
  }
}

describe.each(backends)('faults on %s', (backend) => {
  const within = faultsAreReported ? 'are reported within a second of the DMA' : "are not reported by QEMU's AMD IOMMU"
  it.each(NICS)(`${within}: $chip`, async ({ model }) => {
    await using culprit = await Culprit.open(model, backend)
    using faults = FaultReader.open()
    const fault = await firstFault(faults, { device: culprit.address, calls: FOUR_BYTES }, () => culprit.faultOnce())
    expectReport(fault, writeAtEdge(culprit.address))
    if (fault === undefined) return
    expect(Math.abs(fault.at / 1e6 - secondsSinceBoot())).toBeLessThan(2)
  })

  it('are read by a process without rights from a descriptor that it is handed', async () => {
    using _ = withSysctl('dmesg_restrict', '1')
    await using culprit = await Culprit.open('e1000', backend)
    using faults = FaultReader.open()
    const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve('../support/faults-child.ts'))], {
      uid: NOBODY,
      gid: NOBODY,
      stdio: ['ignore', 'pipe', 'inherit', faults.fd],
    })
    const ended = once(child, 'exit')
    faults.close()
    if (child.stdout === null) throw new Error('The child has no output.')
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const next = async () => JSON.parse((await lines.next()).value ?? 'null') as unknown
    expect(await next()).toEqual({
      opened: false,
      code: 'ERR_PERMISSION',
      message: expect.stringMatching(/kernel's log.*FaultReader\.fromFd/),
    })
    expect(await next()).toEqual({ uid: NOBODY, watching: true })
    if (faultsAreReported) {
      await faultRoom(FOUR_BYTES)
      await culprit.faultOnce()
      let event = (await next()) as FaultEvent
      // Tests before this one may have had faults hidden.
      if (event.kind === 'lost') event = (await next()) as FaultEvent
      expect(event).toMatchObject(JSON.parse(toJson(writeAtEdge(culprit.address))))
    } else {
      child.kill()
    }
    expect(await ended).toEqual(faultsAreReported ? [0, null] : [null, 'SIGTERM'])
  })

  if (!faultsAreReported) return

  it('are delivered to whoever watches the device', async () => {
    await using one = await Culprit.open('e1000', backend)
    await using other = await Culprit.open('e1000e', backend)
    using faults = FaultReader.open()
    const leaving = new AbortController()
    const watches = [
      faults.events({ device: one.address }),
      faults.events({ device: other.address }),
      faults.events(),
      faults.events({ signal: leaving.signal }),
    ]
    const told = watches.map(listen)
    const faultsTold = () => told.map((events) => events.filter(({ kind }) => kind === 'fault'))
    const allAreTold = (count: number) =>
      waitUntil(() => faultsTold()[2]?.length === count, { timeout: 1000, waitedFor: `${count} faults` })
    await faultRoom(2 * FOUR_BYTES)
    await one.faultOnce()
    await allAreTold(1)
    leaving.abort()
    await other.faultOnce()
    await allAreTold(2)
    const [ofOne, ofOther, ofAll, ofLeft] = faultsTold()
    expect(ofOne).toEqual([expect.objectContaining(writeAtEdge(one.address))])
    expect(ofOther).toEqual([expect.objectContaining(writeAtEdge(other.address))])
    expect(ofAll).toEqual([...(ofOne ?? []), ...(ofOther ?? [])])
    expect(ofLeft).toEqual(ofOne)
  })

  it('are told as lost when the rate limit of the kernel has hidden them', async () => {
    await using culprit = await Culprit.open('e1000e', backend)
    using faults = FaultReader.open()
    await faultRoom(WHOLE_FRAME)
    const events = listen(faults.events())
    for (let count = 0; count < 10; count += 1) {
      await culprit.fault()
      // Intel's IOMMU, as QEMU has it, records one fault at a time: the kernel has to take it before there can be another.
      await sleep(20)
    }
    // The kernel says what it has hidden only with the first fault that comes after its five seconds.
    await faultRoom(FOUR_BYTES)
    const before = events.length
    await culprit.faultOnce()
    await waitUntil(() => events.length >= before + 2, { timeout: 1000, waitedFor: 'what was hidden, and the fault' })
    expect(events).toHaveLength(before + 2)
    expect(events.at(-2)).toEqual({
      kind: 'lost',
      cause: 'rate-limit',
      count: expect.any(Number),
      at: expect.any(Number),
    })
    expect(events.at(-2)).toSatisfy(({ count }: { count: number }) => count > 0)
    expect(events.at(-1)).toMatchObject({ kind: 'fault', device: culprit.address })
  })
})

describe('a fault reader', () => {
  it('is told when the log went round before it was read, and reads on', async () => {
    using _ = withSysctl('printk_devkmsg', 'on')
    using faults = FaultReader.open()
    const watch = faults.events()
    // Twice, for an overrun must not end the watching; each more than the largest log that these kernels have.
    for (let round = 0; round < 2; round += 1) {
      writeToLog(Array.from({ length: 2000 }, (_, index) => `<7>${index} ${'x'.repeat(900)}`))
      const { value } = await watch.next()
      expect(value).toMatchObject({ kind: 'lost', cause: 'log-overrun' })
      await sleep(50)
    }
    await watch.return()
    if (!faultsAreReported) return
    await using culprit = await Culprit.open('e1000e', backends[0] ?? 'type1')
    const fault = await firstFault(faults, { device: culprit.address, calls: FOUR_BYTES }, () => culprit.faultOnce())
    expectReport(fault, writeAtEdge(culprit.address))
  })

  it('is not fooled by a program that writes to the log', async () => {
    using faults = FaultReader.open()
    const watch = faults.events()
    const forged = 'DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x0 [fault reason 0x06] forged'
    writeToLog([`<3>${forged}`, `<131>${forged}`, `${forged}\n`])
    await sleep(300)
    faults.close()
    expect(await collect(watch)).toEqual([])
  })

  it('sees only what comes after it began to watch, and each watcher from its own beginning', async () => {
    using _ = withSysctl('printk_devkmsg', 'on')
    using faults = FaultReader.open()
    const early = faults.events()
    writeToLog(Array.from({ length: 2000 }, (_, index) => `<7>${index} ${'x'.repeat(900)}`))
    // The event loop has not had its turn: what the log lost meanwhile is the early watcher's alone.
    const late = faults.events()
    expect((await early.next()).value).toMatchObject({ kind: 'lost', cause: 'log-overrun' })
    faults.close()
    expect(await collect(late)).toEqual([])
  })

  it('refuses descriptors of other files, and one that cannot be read', async () => {
    const other = openSync('/dev/null', 'r')
    await errorOf('ERR_INVALID_ARGUMENT', () => FaultReader.fromFd(other))
    closeSync(other)
    await errorOf('ERR_SYSCALL', () => FaultReader.fromFd(other))
    const writing = openSync('/dev/kmsg', constants.O_WRONLY)
    await errorOf('ERR_INVALID_ARGUMENT', () => FaultReader.fromFd(writing))
    closeSync(writing)
  })

  it('ends its iterations and leaves nothing behind when it is closed', async () => {
    const before = openFiles()
    const faults = FaultReader.open()
    const aborting = new AbortController()
    const pending = [faults.events(), faults.events({ signal: aborting.signal })].map(collect)
    aborting.abort()
    expect(await pending[1]).toEqual([])
    faults.close()
    faults.close()
    expect(await pending[0]).toEqual([])
    await errorOf('ERR_CLOSED', () => faults.events())
    await errorOf('ERR_CLOSED', () => faults.fd)
    await sleep(10)
    expect(openFiles()).toBe(before)
  })
})
