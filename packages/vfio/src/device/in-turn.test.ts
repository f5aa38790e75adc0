import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { inTurn } from './in-turn.ts'

describe('inTurn', () => {
  it('does one thing at a time with a device, in order, and goes on after a failure', async () => {
    const done: string[] = []
    const work =
      (name: string, fails = false) =>
      async () => {
        done.push(`${name} begins`)
        await nextTurn()
        done.push(`${name} ends`)
        if (fails) throw new Error(name)
        return name
      }
    const results = await Promise.allSettled([
      inTurn('0000:00:02.0', work('one', true)),
      inTurn('0000:00:02.0', work('two')),
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(done).toEqual(['one begins', 'one ends', 'two begins', 'two ends'])
    expect(await inTurn('0000:00:02.0', work('three'))).toBe('three')
  })

  it('lets other devices pass', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = inTurn('0000:00:02.0', () => promise)
    expect(await inTurn('0000:00:03.0', async () => 'past')).toBe('past')
    resolve()
    await slow
  })
})
