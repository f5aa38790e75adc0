import type { Action } from './action.ts'
import { nextState } from './config.ts'
import { name, pickDevice } from './devices.ts'

/** Power states, low power and resets. */
export const powerActions: readonly Action[] = [
  {
    name: 'enter a power state',
    weight: 5,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const state = world.dice.chance(0.1) ? 'D1' : nextState(world, model.power)
      const has = state === 'D0' || (state === 'D3hot' && model.facts.d3hot)
      const refusal = model.unreachable ?? (has ? undefined : 'ERR_NOT_SUPPORTED')
      const done = await world.call(`${name(device)}.power.enter(${state})`, refusal, () => real.power.enter(state))
      if (done !== undefined && state !== 'D1') model.enterPower(state)
    },
  },
  {
    name: 'come back to D0',
    weight: 6,
    async act(world) {
      const device = world.dice.pick(world.devices.filter(({ model }) => model.power === 'D3hot'))
      if (device === undefined) return
      const { real, model } = device
      const done = await world.call(`${name(device)}.power.enter(D0)`, model.unreachable, () => real.power.enter('D0'))
      if (done !== undefined) model.enterPower('D0')
    },
  },
  {
    name: 'enter low power',
    weight: 3,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const wakeUp = world.dice.chance(0.5)
      const refusal = !model.facts.lowPower ? (model.unreachable ?? 'ERR_NOT_SUPPORTED') : model.unreachable
      const done = await world.call(`${name(device)}.power.enterLowPower(${wakeUp})`, refusal, () =>
        real.power.enterLowPower({ wakeUp }),
      )
      if (done !== undefined) model.enterLowPower(wakeUp)
    },
  },
  {
    name: 'exit low power',
    weight: 8,
    async act(world) {
      const sleeping = world.devices.filter(({ model }) => model.lowPower !== 'off')
      const device = world.dice.chance(0.9) ? world.dice.pick(sleeping) : pickDevice(world)
      if (device === undefined) return
      await world.call(`${name(device)}.power.exitLowPower`, undefined, () => device.real.power.exitLowPower())
      device.model.exitLowPower()
    },
  },
  {
    name: 'wait for a wake-up',
    weight: 2,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { lowPower } = device.model
      const refusal = { off: undefined, silent: 'ERR_INVALID_ARGUMENT', telling: 'ERR_TIMEOUT' } as const
      await world.call(`${name(device)}.power.waitForWakeUp`, refusal[lowPower], () =>
        device.real.power.waitForWakeUp({ timeout: 1 }),
      )
    },
  },
  {
    name: 'look at the power',
    weight: 12,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      world.same(`${name(device)}.power.lowPower`, real.power.lowPower, model.lowPower !== 'off')
      const state = await world.call(`${name(device)}.power.state`, model.unjoined, () => real.power.state)
      // In low power it is up to the kernel.
      if (state !== undefined && model.lowPower === 'off') world.same('its power state', state.value, model.power)
      const support = await world.call(`${name(device)}.power.support`, model.unreachable, () => real.power.support)
      if (support !== undefined) world.same('low power', support.value.lowPower, model.facts.lowPower)
    },
  },
  {
    name: 'reset',
    weight: 2,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      const refusal = model.unreachable ?? (model.facts.resettable ? undefined : 'ERR_NOT_SUPPORTED')
      const done = await world.call(`${name(device)}.reset`, refusal, () => real.reset())
      if (done !== undefined) model.reset()
    },
  },
  {
    name: 'reset the bus',
    weight: 3,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      // A root bus, which nothing resets.
      await world.call(`${name(device)}.hotReset`, model.unreachable ?? 'ERR_NOT_SUPPORTED', () => real.hotReset())
      const info = await world.call(`${name(device)}.hotResetInfo`, model.unreachable, () => real.hotResetInfo())
      if (info !== undefined) world.same('hotResetInfo().available', info.value.available, false)
      const methods = await world.call(`${name(device)}.resetMethods`, model.unreachable, () => real.resetMethods)
      if (methods !== undefined) world.same('resetMethods.function', methods.value.function, model.facts.resettable)
    },
  },
]
