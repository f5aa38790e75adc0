import type { ErrorCode } from '@openbar/linux'
import type { DeviceHandle } from '../handles.ts'
import { SCRATCH } from '../model/facts.ts'
import type { ViewModel } from '../model/view-model.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'
import { name, pickDevice } from './devices.ts'

/** How many eventfds write to a device at most: the same write cannot be tied to two. */
const EVENTS = 8

/** Features of VFIO, and the kernel's events. */
export const featureActions: readonly Action[] = [
  {
    name: 'make an ioeventfd',
    weight: 8,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const { dice } = world
      const word = dice.below(EVENTS)
      const value = dice.below(2)
      const width = dice.chance(0.8) ? 32 : dice.one([8, 16, 64] as const)
      const offset = dice.chance(0.15)
        ? dice.one([-4, 0.5, model.facts.regions[0]!.size, SCRATCH.offset + 1])
        : SCRATCH.offset + word * 4 - (width === 64 ? (word % 2) * 4 : 0)
      const region = dice.chance(0.1) ? dice.one([5, 6, -1]) : 0
      const refusal = model.unreachable ?? eventRefusal(device, { region, offset, width, value })
      // What is written in another width is not known: those are only made and closed.
      const what = `${name(device)}.ioeventfd(${region}, ${offset}, ${width}, ${value})`
      const made = await world.call(what, refusal, () => real.ioeventfd({ region, offset, width, value }))
      if (made === undefined) return
      const event = { mapped: false, closed: false, width, offset, value } satisfies ViewModel & Write
      model.views.add(event)
      world.keep(world.events, { real: made.value, model: event, device, word: width === 32 ? word : -1, value })
    },
  },
  {
    name: 'signal an ioeventfd',
    weight: 20,
    async act(world) {
      const event = world.dice.some(world.events, ({ model }) => !model.closed)
      if (event === undefined || event.word < 0) return
      const { real, model, device, word, value } = event
      world.same('ioeventfd.closed', real.closed, model.closed)
      const refusal: ErrorCode | undefined = model.closed ? 'ERR_CLOSED' : undefined
      const done = await world.call(`${name(device)}, ioeventfd.signal`, refusal, () => real.signal())
      // While memory cannot be reached the kernel drops the write.
      if (done !== undefined && device.model.memoryRefusal === undefined) device.model.scratch.write(word, value)
    },
  },
  {
    name: 'close an ioeventfd',
    weight: 6,
    async act(world) {
      const event = world.dice.pick(world.events)
      if (event === undefined) return
      await world.call(`${name(event.device)}, ioeventfd.close`, undefined, () => event.real.close())
      event.model.closed = true
      event.device.model.views.delete(event.model)
      const refusal = 'ERR_CLOSED'
      await world.call(`${name(event.device)}, ioeventfd.fd`, refusal, () => event.real.fd)
    },
  },
  {
    name: 'probe features',
    weight: 2,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const done = await world.call(`${name(device)}.features`, model.unreachable, () => real.features)
      if (done !== undefined) world.same('features', JSON.stringify(done.value), model.facts.features)
    },
  },
  {
    name: 'ask for what no NIC has',
    weight: 4,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const { unreachable } = model
      const none = unreachable ?? 'ERR_NOT_SUPPORTED'
      const wrong = unreachable ?? 'ERR_INVALID_ARGUMENT'
      const range = { iova: 0x1000n, size: 4096 }
      const calls: readonly [string, ErrorCode | undefined, () => unknown][] = [
        ['setVfToken', none, () => real.setVfToken('2ab74924-c335-45f4-9b16-8569e5b08258')],
        ['setVfToken(wrong)', wrong, () => real.setVfToken('secret')],
        ['exportDmaBuf', none, () => real.exportDmaBuf({ region: 0 })],
        ['exportDmaBuf(wrong)', wrong, () => real.exportDmaBuf({ region: 0, offset: 1 })],
        ['exportDmaBuf(absent)', unreachable ?? 'ERR_REGION', () => real.exportDmaBuf({ region: 5 })],
        ['migration.support', unreachable, () => real.migration.support],
        ['migration.state', none, () => real.migration.state],
        ['migration.setState', none, () => real.migration.setState('stop')],
        ['migration.setState(wrong)', 'ERR_INVALID_ARGUMENT', () => real.migration.setState('error')],
        ['migration.stopCopySize', none, () => real.migration.stopCopySize],
        ['dmaLogging.supported', unreachable, () => real.dmaLogging.supported],
        ['dmaLogging.start', none, () => real.dmaLogging.start({ ranges: [range] })],
        ['dmaLogging.report', none, () => real.dmaLogging.report(range)],
        ['dmaLogging.stop', none, () => real.dmaLogging.stop()],
      ]
      const [what, refusal, call] = world.dice.pick(calls)!
      await world.call(`${name(device)}.${what}`, refusal, call)
    },
  },
  {
    name: 'watch',
    weight: 6,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      await watch(world, device)
    },
  },
  {
    name: 'poll',
    weight: 10,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      world.note(`${name(device)}.poll → done`)
      world.same(`${name(device)}.poll`, device.real.poll(), device.model.domain !== undefined)
    },
  },
]

interface Write {
  readonly width: number
  readonly offset: number
  readonly value: number
}

function eventRefusal(
  { model }: DeviceHandle,
  { region, offset, width, value }: Write & { region: number },
): ErrorCode | undefined {
  if (region < 0 || region > 5) return 'ERR_INVALID_ARGUMENT'
  if (!Number.isInteger(offset)) return 'ERR_INVALID_ARGUMENT'
  const { size } = model.facts.regions[region]!
  if (size === 0) return 'ERR_REGION'
  const bytes = width / 8
  if (offset < 0 || offset + bytes > size) return 'ERR_OUT_OF_BOUNDS'
  if (offset % bytes !== 0) return 'ERR_MISALIGNED'
  if (!model.facts.eventWidths.includes(width)) return 'ERR_REGION'
  const same = [...model.views].some(
    (view) =>
      'width' in view &&
      (view as unknown as Write).width === width &&
      (view as unknown as Write).offset === offset &&
      (view as unknown as Write).value === value,
  )
  return same ? 'ERR_REGION' : undefined
}

async function watch(world: World, device: DeviceHandle): Promise<void> {
  const { real, model } = device
  const heard = { told: 0, ended: false }
  const listener = { told: 0, ended: false }
  const refusal: ErrorCode | undefined = model.closed ? 'ERR_CLOSED' : undefined
  const done = await world.call(`${name(device)}.watch`, refusal, () =>
    real.watch(
      () => {
        heard.told += 1
      },
      () => {
        heard.ended = true
      },
    ),
  )
  if (done === undefined) return
  model.watchers.add(listener)
  const leave = () => void model.watchers.delete(listener)
  const handle = Object.assign(heard, { real: done.value, model: listener, leave })
  world.keep(world.listeners, handle, ({ model: { ended } }) => ended)
}
