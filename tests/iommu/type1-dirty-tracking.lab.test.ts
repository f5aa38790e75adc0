import { dirtyRanges, Type1DirtyTracking } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'
import { openContainer } from '../support/type1-container.ts'

const PAGE = 4096
const FIRST = 0x1000_0000n
const SECOND = 0x2000_0000n

describe.each(backends.filter((backend) => backend === 'type1'))('dirty tracking on %s', () => {
  it('takes every page that a plain device can write as written, at every read', async () => {
    await using container = await openContainer(nicAddress('e1000e'))
    container.join()
    const memory = MappedMemory.anonymous(80 * PAGE)
    const second = { address: memory.address, size: 2 * PAGE }
    container.map(memory, FIRST)
    const tracking = new Type1DirtyTracking(container.fd)
    tracking.start()
    expect(tracking.on).toBe(true)
    for (const _ of [1, 2]) {
      expect(tracking.read(FIRST, 80 * PAGE)).toEqual([{ iova: FIRST, size: 80 * PAGE }])
    }
    // What is mapped later counts too, and a range may span mappings, gaps and what is mapped nowhere.
    container.map(second, SECOND)
    const bitmap = tracking.readBitmap(FIRST - 0x3000n, 512 * 1024 * 1024)
    expect(bitmap).toMatchObject({ iova: FIRST - 0x3000n, pageSize: PAGE })
    expect(dirtyRanges(bitmap)).toEqual([
      { iova: FIRST, size: 80 * PAGE },
      { iova: SECOND, size: 2 * PAGE },
    ])
    expect(tracking.read(0x5000_0000, 64 * PAGE)).toEqual([])
    tracking.stop()
    container.leave()
    memory.revoke()
  })

  it('refuses to read while it is off, and forgets nothing but its state when it is stopped', async () => {
    await using container = await openContainer(nicAddress('e1000e'))
    container.join()
    const memory = MappedMemory.anonymous(PAGE)
    container.map(memory, FIRST)
    const tracking = new Type1DirtyTracking(container.fd)
    await errorOf('ERR_DOMAIN_STATE', () => tracking.read(FIRST, PAGE))
    tracking.start()
    tracking.start()
    tracking.stop()
    tracking.stop()
    await errorOf('ERR_DOMAIN_STATE', () => tracking.read(FIRST, PAGE))
    tracking.start()
    expect(tracking.read(FIRST, PAGE)).toEqual([{ iova: FIRST, size: PAGE }])
    tracking.stop()
    container.unmap(FIRST, PAGE)
    container.leave()
    memory.revoke()
  })

  it('refuses a range that cuts a mapping, and what is no range of whole pages', async () => {
    await using container = await openContainer(nicAddress('e1000e'))
    container.join()
    const memory = MappedMemory.anonymous(4 * PAGE)
    container.map(memory, FIRST)
    const tracking = new Type1DirtyTracking(container.fd)
    tracking.start()
    const cut = await errorOf('ERR_NOT_MAPPED', () => tracking.read(FIRST, 2 * PAGE))
    expect(cut.context).toEqual({ iova: FIRST, size: BigInt(2 * PAGE) })
    await errorOf('ERR_NOT_MAPPED', () => tracking.read(FIRST + 0x1000n, 8 * PAGE))
    await errorOf('ERR_IOVA_ALIGNMENT', () => tracking.read(FIRST + 0x800n, 4 * PAGE))
    await errorOf('ERR_INVALID_ARGUMENT', () => tracking.read(0, 2 ** 31 * PAGE))
    expect(tracking.read(FIRST, 4 * PAGE)).toEqual([{ iova: FIRST, size: 4 * PAGE }])
    tracking.stop()
    container.leave()
    memory.revoke()
  })

  it('needs a device in the container, and ends when the last one leaves', async () => {
    await using container = await openContainer(nicAddress('e1000e'))
    const tracking = new Type1DirtyTracking(container.fd)
    const error = await errorOf('ERR_DOMAIN_STATE', () => tracking.start())
    expect(error.context.state).toBe('without a device')
    expect(tracking.on).toBe(false)
    container.join()
    tracking.start()
    container.leave()
    await errorOf('ERR_DOMAIN_STATE', () => tracking.read(FIRST, PAGE))
    tracking.stop()
    expect(tracking.on).toBe(false)
    container.join()
    tracking.start()
    expect(tracking.read(FIRST, PAGE)).toEqual([])
    tracking.stop()
    container.leave()
  })
})
