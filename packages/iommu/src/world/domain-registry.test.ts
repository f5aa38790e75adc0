import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'
import { Domain } from '../domain.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { openDomains } from './domain-registry.ts'

const NIC = { address: '0000:00:02.0', group: 1, cdev: undefined }
const ids = () => openDomains().map((domain) => domain.snapshot().id)

/** The garbage collector, which is not there for the taking. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}

describe('the domains of this process', () => {
  test('are listed from their opening until they are finished, in that order', () => {
    const [first, second] = [Domain.over(new FakeBackend()), Domain.over(new FakeBackend())]
    const [one, two] = [first.snapshot().id, second.snapshot().id]
    expect(two).toBeGreaterThan(one)
    expect(ids()).toEqual([one, two])
    first.close()
    expect(ids()).toEqual([two])
    second.close()
    expect(ids()).toEqual([])
  })

  test('are listed while devices hold them, though closed', () => {
    const domain = Domain.over(new FakeBackend())
    const attachment = domain.attach(NIC)
    domain.close()
    expect(openDomains().map((open) => open.snapshot().state)).toEqual(['closing'])
    attachment.detach()
    expect(ids()).toEqual([])
  })

  test('are no longer listed when the kernel would not close them', () => {
    const backend = new FakeBackend()
    backend.refuseClose = new Error('not now')
    const domain = Domain.over(backend)
    expect(() => domain.close()).toThrow('not now')
    expect(ids()).toEqual([])
  })

  test('are not kept alive by being listed', async () => {
    const collect = collector()
    const alive = Domain.over(new FakeBackend())
    for (let count = 0; count < 10; count += 1) Domain.over(new FakeBackend())
    await vi.waitFor(() => {
      collect()
      expect(ids()).toEqual([alive.snapshot().id])
    })
    alive.close()
  })
})
