import { parentPort, workerData } from 'node:worker_threads'
import { type BackendName, Domain } from '@openbar/iommu'
import { isOpenbarError } from '@openbar/linux'
import { Device, type RegisterWindow } from '@openbar/vfio'
import { loopFrame, RawNic } from '../support/raw-nic.ts'

// The worker of the tests: it opens a device in its thread, and does what it is told by messages, each of which it answers.

const STATUS = 0x0008
const ICS = 0x00c8
const IMS = 0x00d0
const ICR = 0x00c0
const LINK = 1 << 2

const port = parentPort!
const { backend, address, bind } = workerData as { backend: BackendName; address: string; bind: boolean }
const warnings: string[] = []
process.on('warning', (warning) => warnings.push(String(warning)))

let domain: Domain | undefined
let device: Device | undefined
let bar0: RegisterWindow | undefined

const reach = () => device!

async function open() {
  domain = await Domain.open({ backend })
  device = await Device.open(address, { domain, bind })
  bar0 = device.bar(0).map()
  return { status: bar0.read32(STATUS) }
}

/** Sends frames to itself, and answers how many came back whole. */
async function frames(count: number) {
  await using nic = await RawNic.start(reach())
  using from = domain!.allocate(4096)
  using into = domain!.allocate(4096)
  let whole = 0
  for (let index = 0; index < count; index += 1) {
    const frame = loopFrame(200, index + 1)
    from.bytes.set(frame)
    into.bytes.fill(0)
    await nic.transfer({ from: from.iova, length: frame.length, into: into.iova })
    if (Buffer.from(frame).equals(into.bytes.subarray(0, frame.length))) whole += 1
  }
  return whole
}

/** Has the NIC raise interrupts, and receives them in each of the ways that there are. */
async function interrupts() {
  const window = bar0!
  const raise = () => window.write32(ICS, LINK)
  const { vectors } = reach().interrupts.enable('intx')
  const seen = { waited: 0, subscribed: 0, iterated: 0 }
  window.write32(IMS, LINK)
  raise()
  seen.waited = await vectors[0].wait({ timeout: 5000 })
  window.read32(ICR)
  vectors[0].unmask()

  const subscribed = Promise.withResolvers<number>()
  const subscription = vectors[0].subscribe((count) => subscribed.resolve(count))
  raise()
  seen.subscribed = await subscribed.promise
  subscription.close()
  window.read32(ICR)
  vectors[0].unmask()

  raise()
  for await (const count of vectors[0].events({ signal: AbortSignal.timeout(5000) })) {
    seen.iterated = count
    break
  }
  window.read32(ICR)
  reach().interrupts.disable()
  return seen
}

function reset() {
  reach().reset()
  const gone = bar0!.closed
  bar0 = reach().bar(0).map()
  return { gone, status: bar0.read32(STATUS) }
}

/** Everything that can be held at once. */
async function hold() {
  const { vectors } = reach().interrupts.enable('intx')
  vectors[0].subscribe(() => {})
  reach().watch(() => {})
  const buffer = domain!.allocate(2 * 1024 * 1024, { shared: true })
  buffer.u32[0] = 7
  reach().config.command.busMasterEnable = true
  return { registers: bar0!.share(), memory: buffer.memory.share() }
}

async function close() {
  await device?.close()
  domain?.close()
  return true
}

const commands: Readonly<Record<string, (argument: number) => unknown>> = {
  open,
  frames,
  interrupts,
  reset,
  hold,
  close,
  warnings: () => warnings,
  exit: () => process.exit(0),
  throw: () => {
    setImmediate(() => {
      throw new Error('The end.')
    })
  },
  spin: () => {
    setImmediate(() => {
      for (;;) bar0!.read32(STATUS)
    })
  },
}

port.on('message', async ([command, argument]: [string, number]) => {
  try {
    port.postMessage(await commands[command]!(argument))
  } catch (error) {
    port.postMessage({ thrown: isOpenbarError(error) ? error.code : String(error), message: String(error) })
  }
})
