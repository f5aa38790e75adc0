import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { E1000 } from '@openbar/drivers-e1000'
import { type BackendName, Domain } from '@openbar/iommu'
import { closeFd, MappedMemory, openFd } from '@openbar/linux'
import { bindDriver, ConfigSpace, SysfsConfigAccess } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { reaches } from '../support/transmit.ts'

const KILLS = process.env['OPENBAR_FULL'] === '1' ? 100 : 4
const MINUTE = 60_000
const PAGE = 4096
const CANARY = 0xc0a1_a7e5
const program = new URL('receiving-program.ts', import.meta.url).pathname

type Model = (typeof NICS)[number]['model']

/** A NIC of this process on the same cable, which sends to everybody. */
class Sender implements AsyncDisposable {
  readonly #driver: E1000
  readonly #closing: AsyncDisposableStack

  private constructor(driver: E1000, closing: AsyncDisposableStack) {
    this.#driver = driver
    this.#closing = closing
  }

  static async start(model: Model, backend: BackendName): Promise<Sender> {
    await using opening = new AsyncDisposableStack()
    const domain = opening.use(await Domain.open({ backend }))
    const device = opening.use(await Device.open(nicAddress(model), { domain }))
    const driver = opening.use(await E1000.start(device))
    await driver.waitForLink({ timeout: 10_000 })
    return new Sender(driver, opening.move())
  }

  async send(frames: number): Promise<void> {
    const frame = new Uint8Array(600).fill(0xff, 0, 6)
    for (let sent = 0; sent < frames; sent += 1) {
      await this.#driver.send(frame)
      if (sent % 16 === 0) await nextTurn()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing.disposeAsync()
  }
}

/** A program that receives into memory which this process sees too, and keeps when the program has gone. */
class Receiver implements Disposable {
  readonly #process: ChildProcess
  readonly exited: Promise<unknown[]>
  readonly #said: Promise<string>
  #memory: MappedMemory | undefined

  constructor(model: Model, backend: BackendName, end: string) {
    this.#process = spawn(process.execPath, [program, backend, nicAddress(model), end], {
      stdio: ['ignore', 'pipe', end === 'wait' ? 'inherit' : 'ignore'],
    })
    this.exited = once(this.#process, 'exit')
    const lines = createInterface({ input: this.#process.stdout! })
    this.#said = Promise.race([
      once(lines, 'line').then(([line]) => String(line)),
      this.exited.then(() => {
        throw new Error('The program ended before it had received anything.')
      }),
    ])
    this.#said.catch(() => {})
  }

  /** Sends until the program says that frames have come in, and takes its memory. */
  async receiving(sender: Sender): Promise<Uint32Array> {
    let said: string | undefined
    void this.#said.then(
      (line) => {
        said = line
      },
      () => {
        said = ''
      },
    )
    while (said === undefined) await sender.send(16)
    const fd = openFd<'file'>(`/proc/${this.#process.pid}/fd/${await this.#said}`)
    this.#memory = MappedMemory.fromMemoryFd(fd)
    closeFd(fd)
    return new Uint32Array(this.#memory.buffer)
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  [Symbol.dispose](): void {
    this.#process.kill('SIGKILL')
    this.#memory?.revoke()
  }
}

/** What was overwritten of a block that was filled with canaries. */
function dead(words: Uint32Array): number {
  return words.reduce((count, word) => (word === CANARY ? count : count + 1), 0)
}

/** What the next program does, without a wait and without a second try. */
async function openAtOnce(backend: BackendName, model: Model): Promise<void> {
  await using domain = await Domain.open({ backend })
  await using device = await Device.open(nicAddress(model), { domain })
  expect(device.config.command.busMasterEnable).toBe(false)
  using memory = domain.allocate(PAGE)
  expect(reaches(device, device.bar(0).map(), { iova: memory.iova, words: memory.u32 })).toBe(true)
  device.config.command.busMasterEnable = false
}

describe.each(translating(backends))('a program that comes to a bad end under traffic, on %s', (backend) => {
  const bindings = new AsyncDisposableStack()
  beforeAll(async () => {
    for (const { model } of NICS) bindings.use(await bindDriver(nicAddress(model), 'vfio-pci'))
  })
  afterAll(() => bindings.disposeAsync())

  /** Lets a program receive and come to its end, and looks for what its NIC writes afterwards. */
  const survive = async (sender: Sender, receiver: Receiver, model: Model, end: () => Promise<unknown>) => {
    const words = await receiver.receiving(sender)
    const buffers = words.subarray(PAGE / 4)
    buffers.fill(CANARY)
    // They die while the program lives: the check below can fail.
    for (let round = 0; round < 100 && dead(buffers) === 0; round += 1) await sender.send(16)
    expect(dead(buffers)).toBeGreaterThan(0)
    await end()
    words.fill(CANARY)
    await sender.send(128)
    expect(dead(words)).toBe(0)
    const config = new ConfigSpace(SysfsConfigAccess.open(nicAddress(model)))
    expect(config.command.busMasterEnable).toBe(false)
    await openAtOnce(backend, model)
  }

  const killed = NICS.map(({ model, chip }, index) => ({ model, chip, peer: NICS[1 - index]!.model }))

  it.each(killed)(
    `leaves no DMA behind when it is killed, ${KILLS / 2} times: $chip`,
    async ({ model, peer }) => {
      await using sender = await Sender.start(peer, backend)
      let next = new Receiver(model, backend, 'wait')
      for (let round = 0; round < KILLS / 2; round += 1) {
        using receiver = next
        await survive(sender, receiver, model, async () => {
          receiver.kill('SIGKILL')
          await receiver.exited
        })
        if (round + 1 < KILLS / 2) next = new Receiver(model, backend, 'wait')
      }
    },
    20 * MINUTE,
  )

  it.each(['throw', 'reject', 'exit', 'SIGTERM', 'SIGINT', 'SIGHUP'])(
    'leaves a quiet device behind: %s',
    async (how) => {
      await using sender = await Sender.start('e1000', backend)
      using receiver = new Receiver('e1000e', backend, how.startsWith('SIG') ? 'wait' : how)
      await survive(sender, receiver, 'e1000e', async () => {
        if (how.startsWith('SIG')) receiver.kill(how as NodeJS.Signals)
        await receiver.exited
      })
    },
    MINUTE,
  )
})
