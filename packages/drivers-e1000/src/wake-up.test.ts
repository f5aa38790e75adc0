import { describe, expect, it } from 'vitest'
import { WakeUp } from './wake-up.ts'

describe('WakeUp', () => {
  it('wakes all who sleep, and nobody who comes later', async () => {
    const wakeUp = new WakeUp()
    const woken: string[] = []
    const first = wakeUp.sleep().then(() => woken.push('first'))
    const second = wakeUp.sleep().then(() => woken.push('second'))
    wakeUp.wake()
    await Promise.all([first, second])
    const abort = new AbortController()
    const third = wakeUp.sleep(abort.signal).then(() => woken.push('third'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(woken).toEqual(['first', 'second'])
    abort.abort()
    await third
    expect(woken).toEqual(['first', 'second', 'third'])
  })

  it('does not sleep on a signal that has aborted', async () => {
    await new WakeUp().sleep(AbortSignal.abort())
  })
})
