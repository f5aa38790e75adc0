import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EventFd } from '../events/event-fd.ts'
import { processFiles } from '../testing/process-files.ts'
import { runWorker } from '../testing/run-worker.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { MappedMemory } from './mapped-memory.ts'
import { PAGE_SIZE } from './page-size.ts'

/** Looks at shared memory in a loop, and answers what it last saw before and first saw after it was taken away. */
const WATCH = `
  const memory = linux.MappedMemory.fromShared(workerData)
  const words = new Uint32Array(memory.buffer)
  post('here')
  let last = 0
  let reads = 0
  for (; !memory.revoked; reads += 1) {
    Atomics.add(words, 1, 1)
    const value = Atomics.load(words, 0)
    if (!memory.revoked) last = value
  }
  for (let index = 0; index < 1000; index += 1) words[0] = index
  let code
  try { memory.buffer } catch (error) { code = error.code }
  post({ last, reads: reads >= 100, code, length: words.length })
  memory.revoke()
  post(words.length)`

describe('memory that is shared with another thread', () => {
  test.each([
    ['anonymous', () => MappedMemory.anonymous(PAGE_SIZE)],
    ['a memfd', () => MappedMemory.memfd(PAGE_SIZE)],
  ])('%s is the same there, until it is revoked here', async (_what, make) => {
    const memory = make()
    const words = new Uint32Array(memory.buffer)
    words[0] = 7
    await using there = runWorker(WATCH, memory.share())
    expect(await there.next()).toBe('here')
    while (Atomics.load(words, 1) < 100);
    memory.revoke()
    expect(await there.next()).toEqual({ last: 7, reads: true, code: 'ERR_CLOSED', length: PAGE_SIZE / 4 })
    expect(await there.next()).toBe(0)
  })

  test('is taken from the other thread alone when that revokes it', async () => {
    const memory = MappedMemory.anonymous(PAGE_SIZE)
    await using there = runWorker(
      `const memory = linux.MappedMemory.fromShared(workerData)
      const words = new Uint32Array(memory.buffer)
      words[0] = 5
      memory.revoke()
      post([words.length, memory.revoked])`,
      memory.share(),
    )
    expect(await there.next()).toEqual([0, true])
    expect([memory.revoked, new Uint32Array(memory.buffer)[0]]).toEqual([false, 5])
    memory.revoke()
  })

  test('is revoked where it is shared later than it was revoked', () => {
    const memory = MappedMemory.anonymous(PAGE_SIZE)
    const shared = memory.share()
    memory.revoke()
    const late = MappedMemory.fromShared(shared)
    expect(late.revoked).toBe(true)
    expect(thrownBy(() => late.buffer).code).toBe('ERR_CLOSED')
    expect(thrownBy(() => memory.share()).code).toBe('ERR_CLOSED')
    late.revoke()
  })

  test('is shared by its owner alone', () => {
    const memory = MappedMemory.anonymous(PAGE_SIZE)
    const borrowed = MappedMemory.fromShared(memory.share())
    expect(thrownBy(() => borrowed.share()).code).toBe('ERR_NOT_SUPPORTED')
    memory.revoke()
  })

  test('that no thread has shared is refused, and nothing is touched', () => {
    const memory = MappedMemory.anonymous(PAGE_SIZE)
    const shared = memory.share()
    const wrong: unknown[] = [
      undefined,
      null,
      {},
      7,
      { ...shared, pid: process.pid + 1 },
      { ...shared, address: shared.address + PAGE_SIZE },
      { ...shared, address: 2 ** 60 },
      { ...shared, size: 2 * PAGE_SIZE },
      { ...shared, size: -PAGE_SIZE },
      { ...shared, pageSize: 3 },
      { ...shared, record: 4096 },
      { ...shared, record: 2 ** 46 },
      { ...shared, record: memory.address },
      { ...shared, record: shared.record + 1 },
      { ...shared, what: 7 },
    ]
    for (const one of wrong) {
      expect(thrownBy(() => MappedMemory.fromShared(one as typeof shared)).code).toBe('ERR_INVALID_ARGUMENT')
    }
    memory.revoke()
  })
})

describe('a worker that ends without giving back what it has', () => {
  const HOLD = `
    const memory = linux.MappedMemory.memfd(8192, { name: 'worker' })
    new Uint8Array(memory.buffer).fill(7)
    const event = new linux.EventFd()
    const watcher = new linux.FdWatcher(event.fd, () => {})
    post(memory.share())`

  test.each([
    ['is terminated', '', true],
    ['throws', 'parentPort.on("message", () => { throw new Error("bang") })', false],
    ['exits', 'parentPort.on("message", () => process.exit(0))', false],
    ['has nothing left to do', 'parentPort.on("message", () => { watcher.unref(); parentPort.close() })', false],
  ])('leaves no file and no page of it, when it %s', async (_how, end, terminate) => {
    using _first = new EventFd()
    const before = processFiles()
    const holder = runWorker(`${HOLD}\n${end}`)
    const memory = MappedMemory.fromShared((await holder.next()) as ReturnType<MappedMemory['share']>)
    const bytes = new Uint8Array(memory.buffer)
    expect([bytes[0], memory.revoked]).toEqual([7, false])
    expect(readFileSync('/proc/self/maps', 'utf8')).toContain('/memfd:worker')
    if (terminate) await holder.worker.terminate()
    else holder.worker.postMessage('end')
    await holder.ended
    expect([bytes[0], memory.revoked]).toEqual([0, true])
    expect(readFileSync('/proc/self/maps', 'utf8')).not.toContain('/memfd:worker')
    expect(processFiles()).toEqual(before)
  })

  test('and one that gives everything back causes no warning', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    const worker = runWorker(`
      process.on('warning', (warning) => post(String(warning)))
      for (let round = 0; round < 3; round += 1) {
        linux.MappedMemory.memfd(4096).revoke()
        new linux.EventFd().close()
      }
      setTimeout(() => post('done'), 20)`)
    expect(await worker.next()).toBe('done')
    await worker.ended
    process.off('warning', listen)
    expect(warnings).toEqual([])
  })
})
