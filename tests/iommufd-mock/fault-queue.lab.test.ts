import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { FaultQueue, type PageRequestGroup, PageTable } from '@openbar/iommu'
import { Errno } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, openIommufd } from '../support/iommufd.ts'
import { MOCK_NESTED, MockDevice } from '../support/iommufd-mock.ts'
import { processState } from '../support/process-state.ts'

const READ = 1
const WRITE = 2
const data = { type: MOCK_NESTED, bytes: new Uint8Array(4) }

/** A device whose nested page table has a fault queue. */
function openQueue() {
  const context = openIommufd()
  const space = allocateSpace(context.fd)
  const device = new MockDevice(context.fd, space.ioas)
  const parent = PageTable.allocate(space, device.deviceId, { nestParent: true })
  const queue = FaultQueue.allocate(context)
  const table = PageTable.allocate(space, device.deviceId, { parent, data, faultQueue: queue })
  device.attach(table.id)
  let detached = false
  const detach = () => {
    if (!detached) device.destroy()
    detached = true
  }
  /** Takes all down, in the order that the kernel wants. */
  const close = () => {
    detach()
    table.close()
    queue.close()
    context[Symbol.dispose]()
  }
  return { context, space, device, parent, queue, table, detach, [Symbol.dispose]: close }
}

const one = async (queue: FaultQueue): Promise<PageRequestGroup> => {
  for await (const group of queue.requests({ signal: AbortSignal.timeout(10_000) })) return group
  throw new Error('no page request came')
}

/** All groups, until the reading ends. */
async function collect(groups: AsyncIterable<PageRequestGroup>): Promise<PageRequestGroup[]> {
  const all: PageRequestGroup[] = []
  for await (const group of groups) all.push(group)
  return all
}

describe('a fault queue', () => {
  it('gives a page request as the device made it, and takes the answer', async () => {
    using lab = openQueue()
    const coming = one(lab.queue)
    lab.device.requestPage({ address: 0xdead_b000n, permissions: READ | WRITE, group: 5 })
    const group = await coming
    expect(group).toMatchObject({
      deviceId: lab.device.deviceId,
      groupId: 5,
      pasid: undefined,
      requests: [{ address: 0xdead_b000n, length: 0, read: true, write: true, execute: false, privileged: false }],
    })
    lab.queue.respond(group.cookie, 'success')
    const error = await errorOf('ERR_INVALID_ARGUMENT', () => lab.queue.respond(group.cookie, 'success'))
    expect(error.message).toContain('waits for its answer')
  })

  it('gives several in their order, one by one and all at once', async () => {
    using lab = openQueue()
    const ask = (group: number) => lab.device.requestPage({ address: BigInt(group) << 12n, permissions: READ, group })
    for (const group of [1, 2, 3]) ask(group)
    const groups = lab.queue.take()
    expect(groups.map(({ groupId }) => groupId)).toEqual([1, 2, 3])
    expect(lab.queue.take()).toEqual([])
    for (const { cookie } of groups) lab.queue.respond(cookie, 'invalid')
    for (const group of [4, 5, 6]) ask(group)
    expect((await one(lab.queue)).groupId).toBe(4)
    // What the first reader left is for the next, before what comes then.
    ask(7)
    const rest = lab.queue.take()
    expect(rest.map(({ groupId }) => groupId)).toEqual([5, 6, 7])
  })

  it('takes more than fit into one reading', () => {
    using lab = openQueue()
    const count = 150
    for (let group = 0; group < count; group += 1) {
      lab.device.requestPage({ address: 0x1000n, permissions: READ, group })
    }
    const groups: PageRequestGroup[] = []
    for (let some = lab.queue.take(); some.length > 0; some = lab.queue.take()) groups.push(...some)
    expect(groups.map(({ groupId }) => groupId)).toEqual(Array.from({ length: count }, (_, group) => group))
    expect(new Set(groups.map(({ cookie }) => cookie)).size).toBe(count)
    for (const { cookie } of groups) lab.queue.respond(cookie, 'success')
  })

  it('waits without keeping the event loop busy, and ends with the signal', async () => {
    using lab = openQueue()
    let turns = 0
    const abort = new AbortController()
    const reading = collect(lab.queue.requests({ signal: abort.signal }))
    const counter = setInterval(() => {
      turns += 1
    }, 1)
    await sleep(50)
    clearInterval(counter)
    expect(turns).toBeGreaterThan(5)
    abort.abort()
    expect(await reading).toEqual([])
    expect(await collect(lab.queue.requests({ signal: abort.signal }))).toEqual([])
  })

  it('is for one reader at a time', async () => {
    using lab = openQueue()
    const abort = new AbortController()
    const first = collect(lab.queue.requests({ signal: abort.signal }))
    await errorOf('ERR_INVALID_ARGUMENT', () => one(lab.queue))
    abort.abort()
    await first
  })

  it('answers that are none are refused', async () => {
    using lab = openQueue()
    await errorOf('ERR_INVALID_ARGUMENT', () => lab.queue.respond(1, 'perhaps' as 'success'))
    await errorOf('ERR_INVALID_ARGUMENT', () => lab.queue.respond(12345, 'success'))
  })

  it('cannot be closed while a page table uses it, and reading goes on', async () => {
    using lab = openQueue()
    const error = await errorOf('ERR_DOMAIN_STATE', () => lab.queue.close())
    expect(error.context.state).toBe(`in use by page table ${lab.table.id}`)
    lab.device.requestPage({ address: 0x1000n, permissions: READ, group: 9 })
    expect((await one(lab.queue)).groupId).toBe(9)
  })

  it('closed, it ends its readers, gives back its file, and refuses all further use', async () => {
    const before = processState()
    {
      using context = openIommufd()
      const queue = FaultQueue.allocate(context)
      const reading = collect(queue)
      await sleep(5)
      queue.close()
      queue.close()
      expect(await reading).toEqual([])
      await errorOf('ERR_CLOSED', () => queue.take())
      await errorOf('ERR_CLOSED', () => queue.fd)
      await errorOf('ERR_CLOSED', () => queue.respond(1, 'success'))
      await errorOf('ERR_CLOSED', () => one(queue))
      const space = allocateSpace(context.fd)
      const { deviceId } = new MockDevice(context.fd, space.ioas)
      const parent = PageTable.allocate(space, deviceId, { nestParent: true })
      await errorOf('ERR_CLOSED', () => PageTable.allocate(space, deviceId, { parent, data, faultQueue: queue }))
    }
    expect(processState()).toEqual(before)
  })

  it('is taken down with questions that nobody answered: the kernel answers them when the device is detached', async () => {
    using lab = openQueue()
    for (const group of [1, 2]) lab.device.requestPage({ address: 0x1000n, permissions: READ, group })
    const [group] = lab.queue.take()
    lab.device.requestPage({ address: 0x2000n, permissions: WRITE, group: 3 })
    lab.detach()
    expect(lab.queue.take()).toEqual([])
    await errorOf('ERR_INVALID_ARGUMENT', () => lab.queue.respond(group?.cookie ?? 0, 'success'))
  })

  it('rejects all that is open, so that the device can be attached to another table', async () => {
    using lab = openQueue()
    for (const group of [1, 2]) lab.device.requestPage({ address: 0x1000n, permissions: READ, group })
    const [first] = lab.queue.take()
    lab.queue.respond(first?.cookie ?? 0, 'success')
    for (const group of [3, 4, 5]) lab.device.requestPage({ address: 0x1000n, permissions: READ, group })
    expect((await one(lab.queue)).groupId).toBe(3)
    lab.device.requestPage({ address: 0x1000n, permissions: READ, group: 6 })
    expect(lab.queue.rejectAll()).toBe(5)
    expect(lab.queue.rejectAll()).toBe(0)
    lab.device.attach(lab.space.ioas)
    expect(lab.queue.take()).toEqual([])
  })

  it('of another context is refused', async () => {
    using lab = openQueue()
    using other = openIommufd()
    const foreign = FaultQueue.allocate(other)
    await errorOf('ERR_INVALID_ARGUMENT', () =>
      PageTable.allocate(lab.space, lab.device.deviceId, { parent: lab.parent, data, faultQueue: foreign }),
    )
    foreign.close()
  })

  it('of a table that does not nest is not here in Linux 6.12', async () => {
    using lab = openQueue()
    for (const options of [{}, { nestParent: true }]) {
      const error = await errorOf('ERR_NOT_SUPPORTED', () =>
        PageTable.allocate(lab.space, lab.device.deviceId, { ...options, faultQueue: lab.queue }),
      )
      expect(error.errno).toBe(Errno.EOPNOTSUPP)
      expect(error.message).toContain('whose devices may ask for pages')
    }
  })

  it('leaves the kernel without a warning of its own', () => {
    const warned = 1 << 9
    expect(Number(readFileSync('/proc/sys/kernel/tainted', 'utf8')) & warned).toBe(0)
  })
})
