import type { ErrorCode } from '@openbar/linux'
import type { InterruptKind, InterruptVector } from '@openbar/vfio'
import type { VectorModel } from '../model/vector-model.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'
import { name, pickDevice } from './devices.ts'

/** Switching interrupts on and off. */
export const interruptActions: readonly Action[] = [
  {
    name: 'enable interrupts',
    weight: 14,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const { dice } = world
      const kind = dice.one<InterruptKind>(['intx', 'msi', 'msix', 'msix'])
      const vectors = dice.chance(0.1) ? dice.one([0, 6, 1.5]) : 1 + (kind === 'msix' ? dice.below(3) : 0)
      const reserve = kind === 'msix' ? dice.below(3) : 0
      const invalid: ErrorCode | undefined =
        Number.isInteger(vectors) && vectors > 0 ? undefined : 'ERR_INVALID_ARGUMENT'
      const refusal =
        invalid ?? model.unreachable ?? model.interrupts.enableRefusal(kind, vectors, reserve, model.power === 'D0')
      const what = `${name(device)}.interrupts.enable(${kind}, ${vectors} + ${reserve})`
      const done = await world.call(what, refusal, () => real.interrupts.enable(kind, { vectors, reserve }))
      if (done === undefined) return
      world.same('the kind', done.value.kind, kind)
      hold(world, done.value.vectors, model.interrupts.enable(kind, vectors, reserve))
    },
  },
  {
    name: 'add vectors',
    weight: 8,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const count = world.dice.below(4)
      const invalid: ErrorCode | undefined = count > 0 ? undefined : 'ERR_INVALID_ARGUMENT'
      const refusal = invalid ?? model.unreachable ?? model.interrupts.addRefusal(count)
      const done = await world.call(`${name(device)}.interrupts.add(${count})`, refusal, () =>
        real.interrupts.add(count),
      )
      if (done !== undefined) hold(world, done.value, model.interrupts.add(count))
    },
  },
  {
    name: 'disable interrupts',
    weight: 5,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      await world.call(`${name(device)}.interrupts.disable`, undefined, () => device.real.interrupts.disable())
      device.model.interrupts.disable()
    },
  },
  {
    name: 'look at interrupts',
    weight: 15,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const { enabled } = real.interrupts
      world.note(`${name(device)}.interrupts.enabled → done`)
      world.same('the kind', enabled?.kind, model.interrupts.kind)
      world.same('vectors', enabled?.vectors.length ?? 0, model.interrupts.vectors.length)
      const kind = world.dice.one<InterruptKind>(['intx', 'msi', 'msix'])
      const info = await world.call(`${name(device)}.interrupts.info(${kind})`, model.unreachable, () =>
        real.interrupts.info(kind),
      )
      if (info !== undefined) world.same('count', info.value.count, model.facts.vectors[kind])
    },
  },
  {
    name: 'trigger vectors',
    weight: 12,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const numbers = Array.from({ length: world.dice.below(3) }, () => world.dice.below(4))
      const once = [...new Set(numbers)]
      const refusal = model.interrupts.triggerRefusal(once)
      const done = await world.call(`${name(device)}.interrupts.trigger([${once}])`, refusal, () =>
        real.interrupts.trigger(once),
      )
      if (done !== undefined) model.interrupts.trigger(once)
    },
  },
]

function hold(world: World, reals: readonly InterruptVector[], models: readonly VectorModel[]): void {
  world.same('vectors', reals.length, models.length)
  reals.forEach((real, index) => {
    const model = models[index]!
    world.same('its number', real.number, model.number)
    world.keep(world.vectors, { real, model })
  })
}
