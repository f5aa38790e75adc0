import { MappedMemory } from '@openbar/linux'
import { BufferModel } from '../model/domain-model.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'
import { name, pickDomain } from './domains.ts'

const PAGE = 4096
const SLOTS = 24
const FIRST = 0x2000_0000
/** Mapped by the caller: each mapping gets pages of its own, so that what is pinned adds up. */
const pages: MappedMemory[] = []

/** An address out of few, so that they meet. */
function somewhere({ dice }: World): number {
  return FIRST + dice.below(SLOTS) * PAGE + (dice.chance(0.05) ? 8 : 0)
}

export const memoryActions: readonly Action[] = [
  {
    name: 'allocate',
    weight: 12,
    async act(world) {
      const domain = pickDomain(world)
      if (domain === undefined) return
      const size = PAGE * (1 + world.dice.below(4))
      const iova = world.dice.chance(0.5) ? somewhere(world) : undefined
      const { model } = domain
      const refusal = iova === undefined ? model.refusal : model.mapRefusal(iova, size)
      const what = `${name(domain)}.allocate(${size}, ${iova?.toString(16) ?? 'anywhere'})`
      const made = await world.call(what, refusal, () => domain.real.allocate(size, iova === undefined ? {} : { iova }))
      if (made === undefined) return
      const { value: real } = made
      world.same(`${what}, where it is free`, model.mapRefusal(Number(real.iova), size), undefined)
      const buffer = new BufferModel()
      model.map({ iova: Number(real.iova), size, buffer })
      world.keep(world.buffers, { real, model: buffer, domain })
    },
  },
  {
    name: 'use a buffer',
    weight: 60,
    async act(world) {
      const buffer = world.dice.some(world.buffers, ({ model }) => !model.closed && !model.stolen)
      if (buffer === undefined) return
      const { real, model } = buffer
      const word = world.dice.below(real.size / 4)
      world.note(`buffer of ${name(buffer.domain)}.u32[${word}] → done`)
      world.same('buffer.closed', real.closed, model.closed)
      const gone = model.closed || model.stolen
      world.same('buffer.u32.length', real.u32.length, gone ? 0 : real.size / 4)
      world.same('buffer.bytes.length', real.bytes.length, gone ? 0 : real.size)
      if (gone) {
        real.u32[word] = 1
        world.same('a word of a buffer that is gone', real.u32[word], undefined)
        return
      }
      const value = world.dice.word()
      const found = real.u32[word]!
      world.same('a word of a buffer', found, model.words.check(word, found))
      real.u32[word] = value
      model.words.write(word, value)
    },
  },
  {
    name: 'close a buffer',
    weight: 12,
    async act(world) {
      const buffer = world.dice.pick(world.buffers)
      if (buffer === undefined) return
      await world.call(`buffer of ${name(buffer.domain)}.close`, undefined, () => buffer.real.close())
      buffer.domain.model.closeBuffer(buffer.model)
      world.same('buffer.closed', buffer.real.closed, true)
    },
  },
  {
    name: "transfer a buffer's memory away",
    weight: 3,
    async act(world) {
      const buffer = world.dice.pick(world.buffers)
      if (buffer === undefined || buffer.model.closed || buffer.model.stolen) return
      world.note(`buffer of ${name(buffer.domain)}, transferred away → done`)
      const u32 = new Uint32Array(buffer.real.bytes.buffer.transfer())
      buffer.model.stolen = true
      const after = new BufferModel().words
      const { model } = buffer
      world.keep(world.stolen, {
        u32,
        first: 0,
        words: u32.length,
        model: () => (model.closed ? after : model.words),
      })
    },
  },
  {
    name: 'map',
    weight: 10,
    async act(world) {
      const domain = pickDomain(world)
      if (domain === undefined) return
      const size = PAGE * (1 + world.dice.below(2))
      const iova = somewhere(world)
      const refusal = domain.model.mapRefusal(iova, size)
      const memory = MappedMemory.anonymous(size)
      const what = `${name(domain)}.map(${size}, ${iova.toString(16)})`
      const made = await world.call(what, refusal, () => domain.real.map(memory, { iova }))
      if (made === undefined) {
        memory.revoke()
        return
      }
      pages.push(memory)
      domain.model.map({ iova, size, buffer: undefined })
      world.keep(world.mappings, { real: made.value, domain })
    },
  },
  {
    name: 'unmap a range',
    weight: 8,
    async act(world) {
      const domain = pickDomain(world)
      if (domain === undefined) return
      const size = PAGE * (1 + world.dice.below(6))
      const iova = somewhere(world)
      await unmap(world, domain, { iova, size })
    },
  },
  {
    name: 'unmap a mapping',
    weight: 8,
    async act(world) {
      const mapping = world.dice.pick(world.mappings)
      if (mapping === undefined) return
      const { iova, size } = mapping.real
      await unmap(world, mapping.domain, { iova: Number(iova), size })
    },
  },
  {
    name: 'unmap all',
    weight: 2,
    async act(world) {
      const domain = pickDomain(world)
      if (domain === undefined) return
      const { model } = domain
      const done = await world.call(`${name(domain)}.unmapAll`, model.refusal, () => domain.real.unmapAll())
      if (done === undefined) return
      const mine = model.ranges.filter(({ buffer }) => buffer === undefined)
      for (const { iova, size } of mine) model.unmap(iova, size)
      world.same(
        'unmapped bytes',
        done.value,
        mine.reduce((sum, { size }) => sum + size, 0),
      )
    },
  },
]

async function unmap(
  world: World,
  domain: ReturnType<typeof pickDomain> & {},
  range: { readonly iova: number; readonly size: number },
): Promise<void> {
  const { model } = domain
  const what = `${name(domain)}.unmap(${range.iova.toString(16)}, ${range.size})`
  const done = await world.call(what, model.unmapRefusal(range.iova, range.size), () => domain.real.unmap(range))
  if (done !== undefined) world.same('unmapped bytes', done.value, model.unmap(range.iova, range.size))
}
