import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Errno } from '../errors/errno.ts'
import { asFd } from '../fd.ts'
import { runChild } from '../testing/run-child.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { waitUntil } from '../wait-until.ts'
import { EventFd } from './event-fd.ts'
import { FdWatcher } from './fd-watcher.ts'

describe('FdWatcher', () => {
  test('loses no event', async () => {
    using event = new EventFd()
    let taken = 0
    using _ = new FdWatcher(event.fd, () => {
      taken += event.take()
    })
    for (let sent = 0; sent < 500; sent += 1) {
      event.signal()
      if (sent % 50 === 0) await sleep(1)
    }
    await waitUntil(() => taken >= 500, { timeout: 5000, waitedFor: '500 events' })
    await sleep(5)
    expect(taken).toBe(500)
  })

  test('reports an event that was there before it', async () => {
    using event = new EventFd()
    event.signal(7)
    let taken = 0
    using _ = new FdWatcher(event.fd, () => {
      taken += event.take()
    })
    await waitUntil(() => taken > 0, { timeout: 5000, waitedFor: 'the event' })
    expect(taken).toBe(7)
  })

  test('calls nothing once closed, leaves the descriptor open, and closes once', async () => {
    using event = new EventFd()
    let calls = 0
    const watcher = new FdWatcher(event.fd, () => {
      calls += 1
    })
    event.signal()
    watcher.close()
    watcher.close()
    watcher.ref()
    watcher.unref()
    await sleep(20)
    expect(calls).toBe(0)
    expect(event.take()).toBe(1)
  })

  test('can be closed from its own callback', async () => {
    using event = new EventFd()
    let calls = 0
    const watcher = new FdWatcher(event.fd, () => {
      calls += 1
      watcher.close()
    })
    // Never taken, so an open watcher would call again and again.
    event.signal()
    await waitUntil(() => calls > 0, { timeout: 5000, waitedFor: 'the event' })
    await sleep(20)
    expect(calls).toBe(1)
  })

  test('can be watched again at once', async () => {
    using event = new EventFd()
    new FdWatcher(event.fd, () => {}).close()
    let taken = 0
    using _ = new FdWatcher(event.fd, () => {
      taken += event.take()
    })
    event.signal()
    await waitUntil(() => taken === 1, { timeout: 5000, waitedFor: 'the event' })
  })

  test('refuses what would abort the process: a second watcher, a plain file, a closed descriptor', () => {
    using event = new EventFd()
    using _ = new FdWatcher(event.fd, () => {})
    expect(thrownBy(() => new FdWatcher(event.fd, () => {}))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'fd', value: event.fd },
    })
    const file = asFd<'file'>(openSync(import.meta.filename, 'r'))
    expect(thrownBy(() => new FdWatcher(file, () => {})).code).toBe('ERR_INVALID_ARGUMENT')
    closeSync(file)
    expect(thrownBy(() => new FdWatcher(asFd(999_999), () => {}))).toMatchObject({ errno: Errno.EBADF })
  })
})

describe('FdWatcher and its process', () => {
  const prelude = `
    import { EventFd } from '${import.meta.resolve('./event-fd.ts')}'
    import { FdWatcher } from '${import.meta.resolve('./fd-watcher.ts')}'
    const event = new EventFd()
  `

  test('lets it end once closed', () => {
    const { status, signal } = runChild(`${prelude}
      const watcher = new FdWatcher(event.fd, () => event.take())
      setTimeout(() => watcher.close(), 10)
    `)
    expect({ status, signal }).toEqual({ status: 0, signal: null })
  })

  test('keeps it alive while open', () => {
    const { stdout, status } = runChild(`${prelude}
      const watcher = new FdWatcher(event.fd, () => event.take())
      setTimeout(() => { console.log('still here'); process.exit(3) }, 200).unref()
    `)
    expect({ stdout, status }).toEqual({ stdout: 'still here\n', status: 3 })
  })

  test('lets it end while open after unref', () => {
    const { stdout, status } = runChild(`${prelude}
      const watcher = new FdWatcher(event.fd, () => event.take())
      watcher.unref()
      setTimeout(() => { console.log('still here'); process.exit(3) }, 2000).unref()
    `)
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 })
  })

  test('makes what the callback throws an uncaught exception, at once', () => {
    const { stdout, status } = runChild(`${prelude}
      process.on('uncaughtException', (error) => { console.log('uncaught:', error.message); watcher.close() })
      const watcher = new FdWatcher(event.fd, () => { event.take(); throw new Error('from the callback') })
      setTimeout(() => console.log('later'), 300)
      event.signal()
    `)
    expect({ stdout, status }).toEqual({ stdout: 'uncaught: from the callback\nlater\n', status: 0 })
  })

  test('goes on watching when nobody holds the watcher', () => {
    const { stdout, status } = runChild(
      `${prelude}
      let taken = 0
      const watch = () => { new FdWatcher(event.fd, () => { taken += event.take() }) }
      watch()
      for (let round = 0; round < 5; round += 1) {
        gc()
        event.signal()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      console.log(taken)
      process.exit(0)
    `,
      ['--expose-gc'],
    )
    expect({ stdout, status }).toEqual({ stdout: '5\n', status: 0 })
  })
})
