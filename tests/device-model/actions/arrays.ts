import type { StolenHandle } from '../handles.ts'
import { SCRATCH } from '../model/facts.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'
import { isGood, nameOf } from './windows.ts'

const FIRST = SCRATCH.offset / 4
/** More than that is never looked at at once. */
const TRIED = 128

/** Bare arrays of windows, while they are good and after; and memory that was transferred away. */
export const arrayActions: readonly Action[] = [
  {
    name: 'take arrays',
    weight: 12,
    async act(world) {
      const window = world.dice.some(world.windows, isGood)
      if (window === undefined) return
      const { real, model } = window
      for (const width of ['u8', 'u16', 'u32', 'u64'] as const) {
        const made = await world.call(`${nameOf(window)}.${width}`, model.arrayRefusal, () => real[width])
        const length = model.stolen ? 0 : Math.floor(model.facts.size / (Number(width.slice(1)) / 8))
        if (made !== undefined) world.same(`${width}.length`, made.value.length, length)
      }
      if (model.arrayRefusal !== undefined) return
      const { u8, u16, u32, u64 } = real
      world.keep(world.arrays, { u8, u16, u32, u64, window })
    },
  },
  {
    name: 'use arrays',
    weight: 80,
    async act(world) {
      const arrays = world.dice.some(world.arrays, ({ window }) => isGood(window))
      if (arrays === undefined) return
      const { u8, u16, u32, u64, window } = arrays
      const { model, device } = window
      const { scratch } = device.model
      const gone = model.closed || model.stolen
      world.note(`arrays of ${nameOf(window)} → done`)
      world.same('u32.length', u32.length, gone ? 0 : Math.floor(model.facts.size / 4))
      if (!gone && model.index !== 0) return
      const word = world.dice.below(SCRATCH.words / 2) * 2
      const [low, high] = [world.dice.word(), world.dice.word()]
      if (gone) {
        for (const array of [u8, u16, u32]) {
          array[FIRST + word] = low
          world.same('an element of an array that is gone', array[FIRST + word], undefined)
        }
        u64[FIRST + word] = 1n
        world.same('an element of an array that is gone', u64[FIRST + word], undefined)
        return
      }
      const found = u32[FIRST + word]!
      world.same(`MTA[${word}], of an array`, found, scratch.check(word, found))
      if (world.dice.chance(0.5)) {
        u32[FIRST + word] = low
        scratch.write(word, low)
      } else {
        u64[(FIRST + word) / 2] = (BigInt(high) << 32n) | BigInt(low)
        scratch.write(word, low)
        scratch.write(word + 1, high)
      }
      if (world.dice.chance(0.1)) {
        u8[(FIRST + word) * 4] = 1
        scratch.forget(word)
      }
      if (world.dice.chance(0.1)) {
        u16[(FIRST + word) * 2] = 1
        scratch.forget(word)
      }
    },
  },
  {
    name: "transfer a window's memory away",
    weight: 6,
    async act(world) {
      const window = world.dice.some(world.windows, isGood)
      if (window === undefined) return
      const { real, model, device } = window
      if (model.closed || model.stolen || !model.mapped || model.index !== 0) return
      world.note(`${nameOf(window)}, transferred away → done`)
      const u32 = new Uint32Array(real.u32.buffer.transfer())
      model.stolen = true
      world.keep(world.stolen, {
        u32,
        first: FIRST,
        words: SCRATCH.words,
        model: () => (model.closed ? model.after : device.model.scratch),
      })
    },
  },
  {
    name: 'use stolen memory',
    weight: 20,
    async act(world) {
      const stolen = world.dice.pick(world.stolen)
      if (stolen === undefined) return
      world.note('stolen memory, a word → done')
      useStolen(world, stolen, world.dice.below(stolen.words))
    },
  },
]

/** Reads and writes through all that was stolen, which must never fault. */
export function useAllStolen(world: World): void {
  world.note('all stolen memory → done')
  for (const stolen of world.stolen) {
    for (let word = 0; word < Math.min(stolen.words, TRIED); word += 17) useStolen(world, stolen, word)
  }
}

function useStolen(world: World, { u32, first, model }: StolenHandle, word: number): void {
  const found = u32[first + word]!
  world.same('a stolen word', found, model().check(word, found))
  const value = world.dice.word()
  u32[first + word] = value
  model().write(word, value)
}
