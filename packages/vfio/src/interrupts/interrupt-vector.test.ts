import { writeSync } from 'node:fs'
import { FdWatcher, isOpenbarError } from '@openbar/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InterruptVector, type VectorControl } from './interrupt-vector.ts'

/** Counts up the eventfd as the kernel does for an interrupt. */
function interrupt(vector: InterruptVector, count = 1): void {
  writeSync(vector.fd, new Uint8Array(BigUint64Array.of(BigInt(count)).buffer))
}

const done: string[] = []
const control: VectorControl = {
  what: '0000:00:02.0, MSI-X vector 1',
  mask: () => done.push('mask'),
  unmask: () => done.push('unmask'),
  trigger: () => done.push('trigger'),
  silentBecause: () => 'Bus mastering is off.',
}
let vector: InterruptVector
beforeEach(() => {
  done.length = 0
  vector = new InterruptVector(1, control)
})
afterEach(() => vector.close())

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
    vector.close()
    vector.close()
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
    vector.close()
    states.push('closed')
    await Promise.resolve()
    expect(states).toEqual(['closed', 'told'])
  })

  it('hands masking on to its device', () => {
    vector.mask()
    vector.unmask()
    vector.trigger()
    expect(done).toEqual(['mask', 'unmask', 'trigger'])
  })
})
