import { writeSync } from 'node:fs'
import { FdWatcher, isOpenbarError } from '@openbar/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InterruptVector } from './interrupt-vector.ts'
import { type VectorControl, VectorCore } from './vector-core.ts'

/** Counts up the eventfd as the kernel does for an interrupt. */
function interrupt(vector: InterruptVector, count = 1): void {
  writeSync(vector.fd, new Uint8Array(BigUint64Array.of(BigInt(count)).buffer))
}

const done: string[] = []
const control: VectorControl = {
  what: '0000:00:02.0, MSI-X vector 1',
  intx: false,
  mask: () => done.push('mask'),
  unmask: () => done.push('unmask'),
  trigger: () => done.push('trigger'),
  arm: (event) => done.push(event === undefined ? 'park' : 'unpark'),
  silentBecause: () => 'Bus mastering is off.',
}
let core: VectorCore
let vector: InterruptVector
beforeEach(() => {
  done.length = 0
  core = new VectorCore(1, control)
  vector = new InterruptVector(core, {})
})
afterEach(() => core.close('the test is over'))

describe('InterruptVector', () => {
  it('gives what came unheard to the next who waits', async () => {
    interrupt(vector, 2)
    interrupt(vector)
    expect(await vector.wait({ timeout: 1000 })).toBe(3)
  })

  it('wakes who waits', async () => {
    const waiting = vector.wait({ timeout: 1000 })
    interrupt(vector)
    expect(await waiting).toBe(1)
  })

  it('takes nothing away from who listens already', async () => {
    const heard: number[] = []
    using _subscription = vector.subscribe((count) => heard.push(count))
    interrupt(vector, 2)
    expect(await vector.wait({ timeout: 1000 })).toBe(2)
    expect(heard).toEqual([2])
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuses to wait for %d ms', async (timeout) => {
    interrupt(vector)
    const error = await vector.wait({ timeout }).catch((reason: unknown) => reason)
    expect(isOpenbarError(error, 'ERR_INVALID_ARGUMENT')).toBe(true)
    expect(await vector.wait({ timeout: 0 })).toBe(1)
  })

  it('refuses to listen beside a watcher of the caller, and listens once that is closed', async () => {
    const watcher = new FdWatcher(vector.fd, () => {})
    const error = await vector.wait({ timeout: 1000 }).catch((reason: unknown) => reason)
    expect(isOpenbarError(error, 'ERR_INVALID_ARGUMENT')).toBe(true)
    watcher.close()
    interrupt(vector)
    expect(await vector.wait({ timeout: 1000 })).toBe(1)
  })

  it('ends a wait in time, and names what was waited for', async () => {
    const error = await vector.wait({ timeout: 20 }).catch((reason: unknown) => reason)
    expect(isOpenbarError(error, 'ERR_TIMEOUT')).toBe(true)
    expect(String(error)).toContain(
      '20 ms for an interrupt of 0000:00:02.0, MSI-X vector 1, in vain. Bus mastering is off.',
    )
  })

  it('ends a wait with the reason of its signal', async () => {
    const reason = new Error('enough')
    const abort = new AbortController()
    const waiting = vector.wait({ timeout: 1000, signal: abort.signal })
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(vector.wait({ timeout: 1000, signal: abort.signal })).rejects.toBe(reason)
  })

  it('calls every subscriber, each until it is closed', async () => {
    const heard: string[] = []
    const first = vector.subscribe((count) => heard.push(`first ${count}`))
    const second = vector.subscribe((count) => heard.push(`second ${count}`))
    interrupt(vector)
    await expect.poll(() => heard).toEqual(['first 1', 'second 1'])
    first.close()
    first.close()
    interrupt(vector)
    await expect.poll(() => heard).toEqual(['first 1', 'second 1', 'second 1'])
    second.close()
  })

  it('does not call a subscriber that another one has closed', async () => {
    const heard: string[] = []
    vector.subscribe(() => {
      heard.push('first')
      second.close()
    })
    const second = vector.subscribe(() => heard.push('second'))
    interrupt(vector)
    await expect.poll(() => heard).toEqual(['first'])
  })

  it('keeps for the next what a reader left unread', async () => {
    interrupt(vector)
    for await (const count of vector.events()) {
      expect(count).toBe(1)
      interrupt(vector, 3)
      await new Promise((resolve) => setTimeout(resolve, 20))
      break
    }
    expect(await vector.wait({ timeout: 1000 })).toBe(3)
  })

  it('iterates until its signal aborts', async () => {
    const abort = new AbortController()
    const heard: number[] = []
    const reader = (async () => {
      interrupt(vector)
      for await (const count of vector.events({ signal: abort.signal })) {
        heard.push(count)
        if (heard.length === 2) abort.abort()
        else interrupt(vector, 5)
      }
    })()
    await reader
    expect(heard).toEqual([1, 5])
  })

  it('ends everything when interrupts are switched off', async () => {
    const waiting = vector.wait({ timeout: 60_000 }).catch((reason: unknown) => reason)
    const reader = (async () => {
      for await (const _ of vector.events()) return 'an event'
      return 'ended'
    })()
    const reasons: string[] = []
    vector.subscribe(
      () => {},
      (reason) => reasons.push(reason.code),
    )
    // Lets the generator start.
    await Promise.resolve()
    core.close('interrupts were switched off')
    core.close('interrupts were switched off')
    expect(isOpenbarError(await waiting, 'ERR_CLOSED')).toBe(true)
    expect(await reader).toBe('ended')
    expect(reasons).toEqual(['ERR_CLOSED'])
    expect(() => vector.fd).toThrow('interrupts were switched off')
    expect(() => vector.unmask()).toThrow('interrupts were switched off')
  })

  it('tells that it ended only after it has, so that the callback may use the device', async () => {
    const states: string[] = []
    vector.subscribe(
      () => {},
      () => states.push('told'),
    )
    core.close('interrupts were switched off')
    states.push('closed')
    await Promise.resolve()
    expect(states).toEqual(['closed', 'told'])
  })

  it('hands on to its device what only that can do, and parks and unparks once', () => {
    vector.mask()
    vector.unmask()
    vector.trigger()
    vector.parkLossy()
    vector.parkLossy()
    expect(vector.parked).toBe(true)
    vector.unpark()
    vector.unpark()
    expect(vector.parked).toBe(false)
    expect(done).toEqual(['mask', 'unmask', 'trigger', 'park', 'unpark'])
  })

  it('delivers after unparking what came before parking, and says in an error that it is parked', async () => {
    interrupt(vector)
    vector.parkLossy()
    expect(await vector.wait({ timeout: 1000 })).toBe(1)
    const error = await vector.wait({ timeout: 20 }).catch((reason: unknown) => reason)
    expect(String(error)).toContain('The vector is parked: vector.unpark().')
  })

  it('gives a wait what came while the event loop was busy, although its time is up', async () => {
    const waiting = vector.wait({ timeout: 20 })
    await Promise.resolve()
    interrupt(vector, 2)
    for (const end = performance.now() + 60; performance.now() < end; );
    expect(await waiting).toBe(2)
  })

  it('keeps telling the others when one throws, and makes that an uncaught exception', async () => {
    const uncaught: unknown[] = []
    const heard: number[] = []
    const handlers = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => uncaught.push(error))
    const failure = new Error('from a callback')
    using _first = vector.subscribe(() => {
      throw failure
    })
    using _second = vector.subscribe((count) => heard.push(count))
    interrupt(vector)
    await expect.poll(() => uncaught).toEqual([failure])
    expect(heard).toEqual([1])
    process.removeAllListeners('uncaughtException')
    for (const handler of handlers) process.on('uncaughtException', handler)
  })

  it('does not give one that was added by another what was delivered before', async () => {
    const heard: string[] = []
    using first = vector.subscribe(() => {
      heard.push('first')
      vector.subscribe(() => heard.push('second'))
      first.close()
    })
    interrupt(vector)
    await expect.poll(() => heard).toEqual(['first'])
    interrupt(vector)
    await expect.poll(() => heard).toEqual(['first', 'second'])
  })
})
