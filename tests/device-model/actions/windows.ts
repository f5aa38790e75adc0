import type { ErrorCode } from '@openbar/linux'
import type { DeviceHandle, WindowHandle } from '../handles.ts'
import { SCRATCH } from '../model/facts.ts'
import { WindowModel } from '../model/view-model.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'
import { name, pickDevice } from './devices.ts'

const WIDTHS = [1, 2, 4, 8] as const
const CONFIG = 7

/** Windows onto regions, and single accesses through them. */
export const windowActions: readonly Action[] = [
  {
    name: 'map a BAR',
    weight: 20,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const index = world.dice.chance(0.7) ? 0 : world.dice.below(8)
      const refusal = index > 5 ? (device.model.unreachable ?? 'ERR_REGION') : device.model.mapRefusal(index)
      const made = await world.call(`${name(device)}.bar(${index}).map`, refusal, () => device.real.bar(index).map())
      if (made !== undefined) opened(world, device, index, made.value)
    },
  },
  {
    name: 'map a region that was looked at',
    weight: 8,
    async act(world) {
      const region = world.dice.pick(world.regions)
      if (region === undefined) return
      const { real, device } = region
      const { index } = real
      const what = `${name(device)}, ${real.name}.map`
      const made = await world.call(what, device.model.mapRefusal(index), () => real.map())
      if (made !== undefined) opened(world, device, index, made.value)
    },
  },
  {
    name: 'close a window',
    weight: 10,
    async act(world) {
      const window = world.dice.pick(world.windows)
      if (window === undefined) return
      await world.call(`${nameOf(window)}.close`, undefined, () => window.real.close())
      window.model.closed = true
      window.device.model.views.delete(window.model)
    },
  },
  {
    name: 'read by a window',
    weight: 120,
    async act(world) {
      const window = world.dice.some(world.windows, isGood)
      if (window === undefined) return
      const { real, model, device } = window
      const width = world.dice.pick(WIDTHS)!
      const offset = offsetOf(world, window, width)
      const refusal = device.model.accessRefusal(model, offset, width, false)
      world.same(`${nameOf(window)}.closed`, real.closed, model.closed)
      const read = { 1: () => real.read8(offset), 2: () => real.read16(offset), 4: () => real.read32(offset) }
      const call = width === 8 ? () => real.read64(offset) : read[width]
      const done = await world.call<number | bigint>(
        `${nameOf(window)}.read${width * 8}(0x${offset.toString(16)})`,
        refusal,
        call,
      )
      if (done === undefined || model.index !== 0) return
      const word = (offset - SCRATCH.offset) / 4
      if (word < 0 || word + width / 4 > SCRATCH.words || width < 4) return
      for (let index = 0; index < width / 4; index += 1) {
        const value = Number((BigInt(done.value) >> BigInt(32 * index)) & 0xffff_ffffn)
        world.same(`MTA[${word + index}]`, value, device.model.scratch.check(word + index, value))
      }
    },
  },
  {
    name: 'write by a window',
    weight: 100,
    async act(world) {
      const window = world.dice.some(world.windows, isGood)
      if (window === undefined) return
      const { real, model, device } = window
      const width = world.dice.pick(WIDTHS)!
      const wanted = offsetOf(world, window, width)
      // Writes that are not refused go to registers that do nothing else than keep them.
      const harmless = model.index === 0 || device.model.accessRefusal(model, wanted, width, true) !== undefined
      if (!harmless) return
      const refused = device.model.accessRefusal(model, wanted, width, true)
      const offset = refused === undefined ? scratchOffset(world, width) : wanted
      const word = Math.floor((offset - SCRATCH.offset) / 4)
      const low = world.dice.word()
      const high = world.dice.word()
      const write = {
        1: () => real.write8(offset, low),
        2: () => real.write16(offset, low),
        4: () => real.write32(offset, low),
      }
      const call = width === 8 ? () => real.write64(offset, (BigInt(high) << 32n) | BigInt(low)) : write[width]
      const done = await world.call(`${nameOf(window)}.write${width * 8}(0x${offset.toString(16)})`, refused, call)
      if (done === undefined) return
      const { scratch } = device.model
      if (width < 4) scratch.forget(word)
      else scratch.write(word, low)
      if (width === 8) scratch.write(word + 1, high)
    },
  },
]

/** A window, beside its model. */
function opened(world: World, device: DeviceHandle, index: number, real: WindowHandle['real']): void {
  const model = new WindowModel(index, device.model.facts.regions[index]!)
  device.model.views.add(model)
  world.same('window.size', real.size, model.facts.size)
  world.same('window.mapped', real.mapped, model.mapped)
  world.keep(world.windows, { real, model, device })
}

export function nameOf({ device, model }: WindowHandle): string {
  return `${name(device)}, window onto region ${model.index}`
}

export function scratchOffset({ dice }: World, width: number): number {
  return SCRATCH.offset + dice.below((SCRATCH.words * 4) / width) * width
}

/** Mostly one that is right; else one that is misaligned, outside, or no offset at all. */
function offsetOf(world: World, { model }: WindowHandle, width: number): number {
  const { dice } = world
  const { size } = model.facts
  const kind = dice.below(20)
  if (kind === 0) return dice.one([-width, -1, size, size + 64, size - width + 1, 2 ** 40, 2 ** 32, 2 ** 31])
  if (kind === 1) return dice.one([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
  if (kind === 2) return dice.below(size)
  if (model.index === 0 && kind < 15) return scratchOffset(world, width)
  // Config space answers all ones beyond what the device has of it; ports only where they are read as the chip has them.
  if (model.index === CONFIG) return dice.below(256 / width) * width
  return dice.below(Math.max(1, Math.floor(size / width))) * width
}

/** Whether it can still be used. */
export function isGood({ model }: WindowHandle): boolean {
  return !model.closed && !model.stolen
}

/** For arrays and bound registers, which have no checks of their own. */
export function scratchRefusal({ model }: WindowHandle): ErrorCode | undefined {
  return model.closed || model.stolen ? 'ERR_CLOSED' : undefined
}
