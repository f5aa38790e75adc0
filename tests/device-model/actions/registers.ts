import { bindRegisters, traceRegisters } from '@openbar/vfio'
import type { RegistersHandle } from '../handles.ts'
import { SCRATCH } from '../model/facts.ts'
import { registers as table } from '../registers.ts'
import type { Action } from './action.ts'
import { isGood, nameOf, scratchRefusal } from './windows.ts'

/** Registers by name, with tracing on and off. */
export const registerActions: readonly Action[] = [
  {
    name: 'bind registers',
    weight: 8,
    async act(world) {
      const window = world.dice.some(
        world.windows.filter(({ model }) => model.index === 0),
        isGood,
      )
      if (window === undefined) return
      const made = await world.call(`bindRegisters(${nameOf(window)})`, undefined, () =>
        bindRegisters(table, window.real),
      )
      if (made !== undefined) {
        world.keep(world.registers, {
          real: made.value,
          window,
          stores: isGood(window),
          trace: undefined,
          told: 0,
          due: 0,
        })
      }
    },
  },
  {
    name: 'read a register',
    weight: 50,
    async act(world) {
      const handle = world.dice.some(world.registers, ({ window }) => isGood(window))
      if (handle === undefined) return
      const { real, window } = handle
      const word = world.dice.below(SCRATCH.words)
      const refusal = scratchRefusal(window)
      const done = await world.call(`MTA[${word}].read of ${nameOf(window)}`, refusal, () => real.MTA.at(word).read())
      await world.call(`STATUS.fields of ${nameOf(window)}`, refusal, () => real.STATUS.fields())
      if (done !== undefined) {
        world.same(`MTA[${word}], by name`, done.value, window.device.model.scratch.check(word, done.value))
        traced(handle, 2)
      }
      world.same('traced accesses', handle.told, handle.due)
    },
  },
  {
    name: 'write a register',
    weight: 50,
    async act(world) {
      const handle = world.dice.some(world.registers, ({ window }) => isGood(window))
      if (handle === undefined) return
      const { real, window } = handle
      const word = world.dice.below(SCRATCH.words)
      const value = world.dice.word()
      const what = `MTA[${word}].write of ${nameOf(window)}`
      // Where the caller himself has transferred the memory away, a store is lost without a word.
      const lost = handle.stores && window.model.stolen && !window.model.closed
      const refusal = lost ? undefined : scratchRefusal(window)
      const done = await world.call(what, refusal, () => real.MTA.at(word).write(value))
      if (done !== undefined) {
        if (!lost) window.device.model.scratch.write(word, value)
        traced(handle, 1)
      }
      world.same('traced accesses', handle.told, handle.due)
    },
  },
  {
    name: 'trace',
    weight: 10,
    async act(world) {
      const handle = world.dice.some(world.registers, ({ window }) => isGood(window))
      if (handle === undefined) return
      world.note(`tracing of ${nameOf(handle.window)} → ${handle.trace === undefined ? 'on' : 'off'}`)
      if (handle.trace === undefined) {
        handle.trace = traceRegisters(handle.real, () => {
          handle.told += 1
        })
      } else {
        handle.trace[Symbol.dispose]()
        handle.trace = undefined
      }
    },
  },
]

function traced(handle: RegistersHandle, accesses: number): void {
  if (handle.trace !== undefined) handle.due += accesses
}
