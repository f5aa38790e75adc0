import type { VectorHandle } from '../handles.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'

/** Single vectors, that are on or were. */
export const vectorActions: readonly Action[] = [
  on('trigger', 40, async (world, { real, model }, what) => {
    const done = await world.call(`${what}.trigger`, model.refusal, () => real.trigger())
    if (done !== undefined) model.raise()
  }),
  on('wait', 25, async (world, { real, model }, what) => {
    const timeout = world.dice.chance(0.1) ? world.dice.one([-1, Number.NaN, 2 ** 32]) : 1
    const wrong = timeout === 1 ? undefined : 'ERR_INVALID_ARGUMENT'
    const refusal = wrong ?? model.refusal ?? (model.unheard > 0 ? undefined : 'ERR_TIMEOUT')
    const done = await world.call(`${what}.wait(${timeout})`, refusal, () => real.wait({ timeout }))
    if (done !== undefined) world.same('interrupts', done.value, model.take())
  }),
  on('park', 6, async (world, { real, model }, what) => {
    const done = await world.call(`${what}.parkLossy`, model.refusalUnless(false), () => real.parkLossy())
    if (done !== undefined) model.parked = true
  }),
  on('unpark', 8, async (world, { real, model }, what) => {
    // One that is not parked has nothing to do.
    const refusal = model.refusal
    const done = await world.call(`${what}.unpark`, refusal, () => real.unpark())
    if (done !== undefined) model.parked = false
  }),
  on('mask', 6, async (world, { real, model }, what) => {
    const done = await world.call(`${what}.mask`, model.refusalUnless(true), () => real.mask())
    if (done !== undefined) model.masked = true
  }),
  on('unmask', 8, async (world, { real, model }, what) => {
    const done = await world.call(`${what}.unmask`, model.refusalUnless(true), () => real.unmask())
    if (done !== undefined) model.masked = false
  }),
  on('look at', 15, async (world, { real, model }, what) => {
    world.same(`${what}.parked`, real.parked, model.parked)
    world.same(`${what}.masked`, real.masked, model.masked)
    await world.call(`${what}.fd`, model.refusal, () => real.fd)
  }),
  on('subscribe to', 12, async (world, { real, model }, what) => {
    const heard = { told: 0, ended: false }
    const listener = { told: 0, ended: false }
    const done = await world.call(`${what}.subscribe`, model.refusal, () =>
      real.subscribe(
        (count) => {
          heard.told += count
        },
        () => {
          heard.ended = true
        },
      ),
    )
    if (done === undefined) return
    model.listen(listener)
    const leave = () => void model.listeners.delete(listener)
    const handle = Object.assign(heard, { real: done.value, model: listener, leave })
    world.keep(world.listeners, handle, ({ model: { ended } }) => ended)
  }),
  {
    name: 'unsubscribe',
    weight: 10,
    async act(world) {
      const listener = world.dice.pick(world.listeners)
      if (listener === undefined) return
      await world.call('subscription.close', undefined, () => listener.real.close())
      listener.leave()
      world.listeners.splice(world.listeners.indexOf(listener), 1)
    },
  },
  on('iterate', 5, async (world, { real, model }, what) => {
    const due = model.listeners.size === 0 ? model.unheard : 0
    if (model.refusal === undefined && due === 0) return
    const events = real.events({ signal: AbortSignal.timeout(5000) })
    const done = await world.call(`${what}.events().next`, model.refusal, () => events.next())
    if (done === undefined) return
    world.same('interrupts', done.value.value, model.take())
    await events.return()
  }),
]

function on(
  verb: string,
  weight: number,
  act: (world: World, vector: VectorHandle, what: string) => Promise<void>,
): Action {
  return {
    name: `${verb} a vector`,
    weight,
    async act(world) {
      const { dice, vectors } = world
      const live = vectors.filter(({ model }) => !model.closed)
      const vector = dice.pick(dice.chance(0.15) || live.length === 0 ? vectors : live)
      if (vector !== undefined) await act(world, vector, `${vector.model.kind} vector ${vector.model.number}`)
    },
  }
}
