import { openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Domain } from '@openbar/iommu'
import { isOpenbarError, lockedMemory } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { loopFrame, RawNic } from '../support/raw-nic.ts'
import { toJson } from '../support/to-json.ts'

// A program without privileges, that drives a device which it was left, or receives over a socket: driver-program.ts [SOCKET]
// It answers each line of its input with a line of JSON.

const PAGE = 4096
const IOVA = 0x1000_0000
const STATUS = 0x0008

const [socket] = process.argv.slice(2)
const say = (what: unknown) => console.log(toJson(what))

const adopting = socket === undefined ? Device.adopt() : Device.receive(socket, { timeout: 60_000 })
const device = await adopting.catch((error: unknown) => {
  say({ refused: isOpenbarError(error) ? error.code : String(error) })
  process.exit(3)
})

/** What the kernel says of this process, and what it has open. */
function report() {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1]
  const files = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [{ path: readlinkSync(`/proc/self/fd/${fd}`), info: readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8') }]
    } catch {
      return []
    }
  })
  const ours = files.filter(({ path }) => /vfio|iommu/.test(path))
  return {
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    groups: field('Groups') ?? '',
    capabilities: ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => BigInt(`0x${field(name)}`)),
    noNewPrivileges: field('NoNewPrivs'),
    limit: lockedMemory().limit,
    files: ours.map(({ path }) => path),
    inherits: ours.filter(
      ({ info }) => (Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? '0', 8) & 0o2000000) === 0,
    ).length,
    variable: process.env['OPENBAR_DEVICE'] ?? null,
  }
}

/** How each path fails to be opened, for reading or for writing. */
function attempts(paths: readonly { readonly path: string; readonly flags: string }[]) {
  return paths.map(({ path, flags }) => {
    try {
      openSync(path, flags)
      return { path, code: 'opened' }
    } catch (error) {
      return { path, code: (error as NodeJS.ErrnoException).code }
    }
  })
}

/** What a device is like that nobody has used before. */
function state() {
  const bar0 = device.bar(0).map()
  const first = {
    address: device.address,
    group: device.group,
    cdev: device.cdev ?? null,
    vendorId: device.config.vendorId,
    busMaster: device.config.command.busMasterEnable,
    status: bar0.read32(STATUS),
    interrupts: device.interrupts.enabled?.kind ?? null,
    backend: device.domain.backend,
    mappings: device.domain.snapshot().mappings.length,
    ranges: device.domain.snapshot().ranges?.length ?? 0,
    mappingsLeft: device.domain.snapshot().limits.mappingsLeft ?? null,
  }
  bar0.close()
  return first
}

/** Sends frames to itself, and answers how many came back whole. */
async function frames(count: number) {
  await using nic = await RawNic.start(device)
  using from = device.domain.allocate(PAGE)
  using into = device.domain.allocate(PAGE)
  let whole = 0
  for (let index = 0; index < count; index += 1) {
    const frame = loopFrame(200, index + 1)
    from.bytes.set(frame)
    into.bytes.fill(0)
    await nic.transfer({ from: from.iova, length: frame.length, into: into.iova })
    if (Buffer.from(frame).equals(into.bytes.subarray(0, frame.length))) whole += 1
  }
  return { whole }
}

/** Has the kernel deliver an interrupt as if the device had raised it. */
async function interrupt() {
  const { vectors } = device.interrupts.enable('intx')
  const waiting = vectors[0].wait({ timeout: 5000 })
  vectors[0].trigger()
  const count = await waiting
  device.interrupts.disable()
  return { count }
}

/** Pins memory up to the limit and beyond. */
function pinTooMuch(limit: number) {
  const kept = device.domain.allocate(limit / 2, { iova: IOVA })
  try {
    device.domain.allocate(limit / 2 + PAGE, { iova: IOVA + limit })
    return { code: 'allocated' }
  } catch (error) {
    if (!isOpenbarError(error)) throw error
    return { code: error.code, mappings: device.domain.snapshot().mappings.length }
  } finally {
    kept.close()
  }
}

/** Does DMA until it is killed, with memory pinned that nobody gives back. */
async function traffic(bytes: number): Promise<never> {
  const nic = await RawNic.start(device)
  const kept = device.domain.allocate(bytes, { iova: IOVA })
  kept.bytes.set(loopFrame(200, 7))
  for (let sent = 0; ; sent += 1) {
    await nic.transfer({ from: kept.iova, length: 200, into: kept.iova + BigInt(PAGE) })
    if (sent === 0)
      say({ busMaster: device.config.command.busMasterEnable, mappings: device.domain.snapshot().mappings.length })
  }
}

async function answer(command: string, argument: string | undefined): Promise<unknown> {
  if (command === 'report') return report()
  if (command === 'attempts') return attempts(JSON.parse(argument ?? '[]'))
  if (command === 'state') return state()
  if (command === 'frames') return frames(Number(argument))
  if (command === 'interrupt') return interrupt()
  if (command === 'pin') return pinTooMuch(Number(argument))
  if (command === 'traffic') return traffic(Number(argument))
  if (command === 'reset') {
    device.reset()
    return { reset: true }
  }
  if (command === 'move') {
    const other = await Domain.open()
    try {
      device.setDomain(other)
      return { moved: device.domain === other, backend: other.backend }
    } catch (error) {
      other.close()
      throw error
    }
  }
  if (command === 'adopt-again') {
    await Device.adopt()
    return { adopted: true }
  }
  if (command === 'close') {
    await device.close()
    return { closed: device.closed }
  }
  if (command === 'wait-closed') {
    for (let looks = 0; looks < 1000 && !device.closed; looks += 1) await new Promise((done) => setTimeout(done, 5))
    try {
      device.bar(0)
      return { code: 'open' }
    } catch (error) {
      return { code: isOpenbarError(error) ? error.code : 'none', message: String(error) }
    }
  }
  return { unknown: command }
}

say({ ready: process.pid })
for await (const line of createInterface({ input: process.stdin })) {
  const space = line.indexOf(' ')
  const [command, argument] = space < 0 ? [line] : [line.slice(0, space), line.slice(space + 1)]
  try {
    say(await answer(command ?? '', argument))
  } catch (error) {
    say({ thrown: isOpenbarError(error) ? error.code : 'none', message: String(error) })
  }
}
await device.close()
