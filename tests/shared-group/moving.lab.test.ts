import { Domain } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { differencesOf, translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddresses } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const PAGE = 4096
const STATUS = 8
const MSI_WINDOW = 0xfee0_0000n
const [first, second] = nicAddresses('e1000') as [string, string]

async function openBoth(options: { domain?: Domain }) {
  await using opening = new AsyncDisposableStack()
  const binding = await bindDriver(second, 'vfio-pci')
  opening.defer(() => binding.restore())
  const one = opening.use(await Device.open(first, { ...options, bind: true }))
  const other = opening.use(await Device.open(second, { domain: one.domain }))
  const opened = opening.move()
  return { one, other, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

describe.each(translating(backends))('a group of two on %s', (backend) => {
  const { movesInOneStep, outOfReach } = differencesOf(backend)

  it('moves as a whole, whichever device is told to', async () => {
    await using from = await Domain.open({ backend })
    await using to = await Domain.open({ backend })
    await using group = await openBoth({ domain: from })
    const { one, other } = group
    const windows = [one, other].map((device) => device.bar(0).map())
    one.setDomain(to)
    expect([from.snapshot().devices, to.snapshot().devices.toSorted()]).toEqual([[], [first, second]])
    expect([one.domain, other.domain]).toEqual([to, to])
    for (const window of windows) {
      if (movesInOneStep) expect(window.read32(STATUS)).toBeGreaterThan(0)
      else await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    }
    other.setDomain(from)
    expect([from.snapshot().devices.toSorted(), to.snapshot().devices]).toEqual([[first, second], []])
    for (const device of [one, other]) expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('that cannot arrive is back where it was, and leaves nothing behind', async () => {
    const before = processState()
    {
      await using from = await Domain.open({ backend })
      await using to = await Domain.open({ backend })
      const memory = MappedMemory.anonymous(PAGE)
      to.map(memory, { iova: MSI_WINDOW })
      await using group = await openBoth({ domain: from })
      const { one, other } = group
      const windows = [one, other].map((device) => device.bar(0).map())
      await errorOf(outOfReach, () => other.setDomain(to))
      expect(to.snapshot().devices).toEqual([])
      expect(from.snapshot().devices).toEqual([first, second])
      expect([one.domain, other.domain]).toEqual([from, from])
      // By way of none they had left before the kernel was asked, and their windows with them.
      for (const window of windows) {
        if (movesInOneStep) expect(window.read32(STATUS)).toBeGreaterThan(0)
        else await errorOf('ERR_CLOSED', () => window.read32(STATUS))
      }
      for (const device of [one, other]) expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
      memory.revoke()
    }
    expect(processState()).toEqual(before)
  })
})

describe('a group of two in the private domain of one', () => {
  it('is taken out by the other, and the domain is closed with its owner at the latest', async () => {
    const before = processState()
    {
      await using to = await Domain.open({ backend: 'type1' })
      const memory = MappedMemory.anonymous(PAGE)
      to.map(memory, { iova: MSI_WINDOW })
      await using group = await openBoth({})
      const { one, other } = group
      const own = one.domain
      await errorOf('ERR_IOVA_RANGE', () => other.setDomain(to))
      expect(own.snapshot().devices).toEqual([first, second])
      to.unmapAll()
      other.setDomain(to)
      expect([own.snapshot().devices, to.snapshot().devices]).toEqual([[], [first, second]])
      await one.close()
      expect(own.snapshot().state).toBe('closed')
      memory.revoke()
    }
    expect(processState()).toEqual(before)
  })
})
