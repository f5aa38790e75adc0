import type { ErrorCode } from '@openbar/linux'
import { BUS_MASTER, IO, MEMORY } from '../model/facts.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'
import { name, pickDevice } from './devices.ts'

const LINE = 0x3c
const FLR = 0x80

/** Config space, by the config that a device has now or by one from an earlier life. */
export const configActions: readonly Action[] = [
  {
    name: 'read config space',
    weight: 40,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      if (world.dice.chance(0.5)) {
        const made = await world.call(`${name(device)}.config`, model.unreachable, () => real.config)
        if (made === undefined) return
        device.config = made.value
      }
      const { config } = device
      if (config === undefined) return
      const size = model.unreachable === undefined ? config.access.size : 4096
      const width = world.dice.one([1, 2, 4, 8])
      const offset = world.dice.chance(0.1)
        ? world.dice.one([-1, 3, size, size - 1, 0.5])
        : world.dice.below(64 / width) * width
      const refusal = model.unreachable ?? accessRefusal(offset, width, size)
      const { access } = config
      const read = { 1: () => access.read8(offset), 2: () => access.read16(offset), 4: () => access.read32(offset) }
      const call = width === 8 ? () => access.read64(offset) : read[width as 1 | 2 | 4]
      await world.call<number | bigint>(`${name(device)}.config.access.read${width * 8}(${offset})`, refusal, call)
      const command = await world.call(`${name(device)}.config.command`, model.unreachable, () => config.command.value)
      if (command !== undefined) world.same(`the command register of ${name(device)}`, command.value, model.command)
    },
  },
  {
    name: 'write the interrupt line',
    weight: 10,
    async act(world) {
      const device = pickDevice(world)
      if (device?.config === undefined) return
      const { model, config } = device
      const before = await world.call(`${name(device)}, line`, model.unreachable, () => config.access.read8(LINE))
      if (before !== undefined) world.same('the interrupt line', before.value, model.line)
      const value = world.dice.below(256)
      const done = await world.call(`${name(device)}, line = ${value}`, model.unreachable, () =>
        config.access.write8(LINE, value),
      )
      if (done !== undefined) model.line = value
    },
  },
  {
    name: 'write the command register',
    weight: 16,
    async act(world) {
      const device = pickDevice(world)
      if (device?.config === undefined) return
      const { model, config } = device
      const { dice } = world
      const on = dice.chance(0.7)
      const bit = dice.one<typeof IO | typeof MEMORY | typeof BUS_MASTER>([IO, MEMORY, MEMORY, BUS_MASTER])
      const names = { [IO]: 'ioSpaceEnable', [MEMORY]: 'memorySpaceEnable', [BUS_MASTER]: 'busMasterEnable' } as const
      const property = names[bit]
      const done = await world.call(`${name(device)}.config.command.${property} = ${on}`, model.unreachable, () => {
        config.command[property] = on
      })
      if (done !== undefined) model.writeCommand(on ? model.command | bit : model.command & ~bit)
    },
  },
  {
    name: 'switch memory on',
    weight: 8,
    async act(world) {
      const device = world.dice.pick(world.devices.filter(({ model }) => model.memoryRefusal !== undefined))
      if (device?.config === undefined) return
      const { model, config } = device
      const value = model.command | MEMORY | IO
      const done = await world.call(`${name(device)}.config.command = ${value}`, model.unreachable, () => {
        config.command.value = value
      })
      if (done !== undefined) model.writeCommand(value)
    },
  },
  {
    name: 'ask for a function level reset in config space',
    weight: 2,
    async act(world) {
      const device = pickDevice(world)
      const at = device?.model.facts.deviceControl
      if (device?.config === undefined || at === undefined) return
      const { model, config } = device
      const done = await world.call(`${name(device)}, FLR`, model.unreachable, () => {
        config.access.write8(at + 1, config.access.read8(at + 1) | FLR)
      })
      if (done !== undefined) model.resetByConfig()
    },
  },
  {
    name: 'write the power state in config space',
    weight: 4,
    async act(world) {
      const device = pickDevice(world)
      const at = device?.model.facts.powerControl
      if (device?.config === undefined || at === undefined) return
      const { model, config } = device
      const state = nextState(world, model.power)
      const done = await world.call(`${name(device)}, PMCSR = ${state}`, model.unreachable, () => {
        config.access.write16(at, (config.access.read16(at) & ~0x8003) | (state === 'D0' ? 0 : 3))
      })
      if (done !== undefined) model.writePowerState(state)
    },
  },
]

/** Mostly back to D0, where there is more to do. */
export function nextState({ dice }: World, now: 'D0' | 'D3hot'): 'D0' | 'D3hot' {
  if (now === 'D3hot') return dice.chance(0.85) ? 'D0' : 'D3hot'
  return dice.chance(0.85) ? 'D3hot' : 'D0'
}

function accessRefusal(offset: number, width: number, size: number): ErrorCode | undefined {
  if (!Number.isInteger(offset)) return 'ERR_INVALID_ARGUMENT'
  if (offset < 0 || offset + width > size) return 'ERR_OUT_OF_BOUNDS'
  return offset % width === 0 ? undefined : 'ERR_MISALIGNED'
}
