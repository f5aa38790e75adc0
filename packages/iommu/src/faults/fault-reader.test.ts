import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { FakeLog } from '../testing/fake-log.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import type { FaultEvent } from './fault-event.ts'
import { FaultReader } from './fault-reader.ts'
import type { FaultEvents } from './fault-watch.ts'

const fault = (slot: number, iova = 0x5000_0000) =>
  `DMAR: [DMA Write NO_PASID] Request device [00:0${slot}.0] fault addr 0x${iova.toString(16)} [fault reason 0x05] PTE Write access is not set`
const DEVICE = '0000:00:02.0'

function setUp() {
  const log = new FakeLog()
  return { log, faults: FaultReader.over(log) }
}

const asked = new WeakMap<FaultEvents, Promise<IteratorResult<FaultEvent, undefined>>>()

/** What there is to take, without waiting for more. */
async function taken(watch: FaultEvents): Promise<FaultEvent[]> {
  const events: FaultEvent[] = []
  for (;;) {
    // What was asked for last time and did not come is still asked for.
    const promise = asked.get(watch) ?? watch.next()
    asked.set(watch, promise)
    const next = await Promise.race([promise, nextTurn()])
    if (next === undefined) return events
    asked.delete(watch)
    if (next.done === true) return events
    events.push(next.value)
  }
}

describe('FaultReader.events', () => {
  test('gives each watcher its own copy of what is for it', async () => {
    const { log, faults } = setUp()
    const [one, other, all] = [
      faults.events({ device: DEVICE }),
      faults.events({ device: '0000:00:03.0' }),
      faults.events(),
    ]
    log.write([fault(2), 'something else', fault(3, 0x1000)])
    const [seenByOne, seenByOther, seenByAll] = [await taken(one), await taken(other), await taken(all)]
    expect(seenByOne).toMatchObject([{ kind: 'fault', device: DEVICE, iova: 0x5000_0000n, at: 1000 }])
    expect(seenByOther).toMatchObject([{ kind: 'fault', device: '0000:00:03.0', iova: 0x1000n, at: 1002 }])
    expect(seenByAll).toEqual([...seenByOne, ...seenByOther])
    expect(seenByAll[0]).not.toBe(seenByOne[0])
  })

  test('takes a device in capitals, and refuses what is no full address', () => {
    const { log, faults } = setUp()
    for (const device of ['00:02.0', '0000:00:02.8', '0000:00:22.0', '', 'eth0']) {
      expect(thrownBy(() => faults.events({ device }))).toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        context: { argument: 'device', value: device },
      })
    }
    expect(log.watched).toBe(false)
    faults.events({ device: '0000:0A:02.0' })
    expect(log.watched).toBe(true)
  })

  test('begins with what comes after the call', async () => {
    const { log, faults } = setUp()
    log.writeSilently(fault(2, 0x1000))
    const early = faults.events()
    log.writeSilently(fault(2, 0x2000))
    const late = faults.events()
    log.write([fault(2, 0x3000)])
    expect(await taken(early)).toMatchObject([{ iova: 0x2000n }, { iova: 0x3000n }])
    expect(await taken(late)).toMatchObject([{ iova: 0x3000n }])
  })

  test('waits for what is to come, in the order of the calls', async () => {
    const { log, faults } = setUp()
    const watch = faults.events()
    const results = Promise.all([watch.next(), watch.next()])
    log.write([fault(2, 0x1000), fault(2, 0x2000)])
    expect(await results).toMatchObject([{ value: { iova: 0x1000n } }, { value: { iova: 0x2000n } }])
  })

  test('ends when the loop is left, the signal aborts or the reader is closed, and the others go on', async () => {
    const { log, faults } = setUp()
    const aborting = new AbortController()
    const [left, aborted, closed] = [faults.events(), faults.events({ signal: aborting.signal }), faults.events()]
    const waiting = aborted.next()
    log.write([fault(2)])
    for await (const event of left) {
      expect(event.kind).toBe('fault')
      break
    }
    expect(await waiting).toMatchObject({ done: false })
    const next = aborted.next()
    aborting.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(await left.next()).toEqual({ done: true, value: undefined })
    log.write([fault(3)])
    expect(await taken(closed)).toHaveLength(2)
    const last = closed.next()
    faults.close()
    expect(await last).toEqual({ done: true, value: undefined })
  })

  test('is over at once with a signal that was aborted before', async () => {
    const { log, faults } = setUp()
    expect(await taken(faults.events({ signal: AbortSignal.abort() }))).toEqual([])
    expect(log.watches).toBe(0)
  })

  test('watches the log only while somebody wants to know, and forgets what came in between', async () => {
    const { log, faults } = setUp()
    expect(log.watched).toBe(false)
    const first = faults.events()
    await first.return()
    await first.return()
    expect(log.watched).toBe(false)
    log.writeSilently(fault(2, 0x1000))
    {
      await using second = faults.events()
      log.write([fault(2, 0x2000)])
      expect(await taken(second)).toMatchObject([{ kind: 'fault', iova: 0x2000n }])
    }
    expect(log.watched).toBe(false)
  })

  test('reads a flood in portions', () => {
    const { log, faults } = setUp()
    faults.events()
    log.write(Array.from({ length: 300 }, () => 'noise'))
    expect(log.unread).toBe(44)
    log.ready()
    expect(log.unread).toBe(0)
  })
})

describe('lost events', () => {
  test('tell every watcher that the kernel hid some', async () => {
    const { log, faults } = setUp()
    const watch = faults.events({ device: DEVICE })
    log.write(['dmar_fault: 83 callbacks suppressed', fault(3), fault(2)])
    expect(await taken(watch)).toMatchObject([
      { kind: 'lost', cause: 'rate-limit', count: 83, at: 1000 },
      { kind: 'fault', device: DEVICE },
    ])
  })

  test('tell that the log went round, and it is watched anew', async () => {
    const { log, faults } = setUp()
    const watch = faults.events()
    log.write(['noise'])
    log.overrun(7)
    log.write([fault(2)])
    expect(await taken(watch)).toMatchObject([{ kind: 'lost', cause: 'log-overrun', count: 7 }, { kind: 'fault' }])
    expect(log).toMatchObject({ watches: 2, watched: true })
    log.write([fault(2)])
    expect(await taken(watch)).toMatchObject([{ kind: 'fault' }])
  })

  test('do not count what nobody can, when the first records are gone', async () => {
    const { log, faults } = setUp()
    const watch = faults.events()
    log.overrun(7)
    log.write(['noise'])
    expect(await taken(watch)).toMatchObject([{ kind: 'lost', cause: 'log-overrun', count: undefined }])
  })

  test('tell that records are missing which another process has taken', async () => {
    const { log, faults } = setUp()
    const watch = faults.events()
    log.write(['noise'])
    log.overrun(3)
    log.read()
    log.write([fault(2)])
    expect(await taken(watch)).toMatchObject([{ kind: 'lost', cause: 'log-overrun', count: 3 }, { kind: 'fault' }])
  })

  test('tell a slow watcher how many of its oldest were dropped', async () => {
    const { log, faults } = setUp()
    const [slow, quick] = [faults.events(), faults.events()]
    let seen = 0
    for (let round = 0; round < 12; round += 1) {
      log.write(Array.from({ length: 100 }, (_, index) => fault(2, (round * 100 + index) * 0x1000)))
      seen += (await taken(quick)).length
    }
    expect(seen).toBe(1200)
    const [lost, first, ...others] = await taken(slow)
    expect(lost).toEqual({ kind: 'lost', cause: 'backlog', count: 176, at: 1175 })
    expect(first).toMatchObject({ iova: 176n * 0x1000n })
    expect(others).toHaveLength(1023)
  })
})

describe('a fault reader that fails or is closed', () => {
  test('ends each iteration with the error, once, after which there is nothing to watch', async () => {
    const { log, faults } = setUp()
    const [waiting, idle] = [faults.events(), faults.events()]
    const next = waiting.next()
    log.failure = new Error('the log is gone')
    log.ready()
    await expect(next).rejects.toThrow('the log is gone')
    await expect(idle.next()).rejects.toThrow('the log is gone')
    expect(await idle.next()).toEqual({ done: true, value: undefined })
    expect(log.watched).toBe(false)
    expect(() => faults.events()).toThrow('the log is gone')
    expect(log.watched).toBe(false)
    faults.close()
  })

  test('throws from then on, and closes its descriptor once', () => {
    const { log, faults } = setUp()
    faults.events()
    expect(faults.fd).toBe(100)
    faults.close()
    faults.close()
    faults[Symbol.dispose]()
    expect(log).toMatchObject({ closed: 1, watched: false })
    expect(faults.closed).toBe(true)
    expect(thrownBy(() => faults.events()).code).toBe('ERR_CLOSED')
    expect(thrownBy(() => faults.fd).code).toBe('ERR_CLOSED')
  })
})
