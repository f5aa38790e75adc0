import { Domain } from '@openbar/iommu'
import { type Binding, bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { startChild } from '../support/child.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'

const STATUS = 0x8

/** Opens the device, and keeps it. */
const keeping = (address: string, backend: string) => `
  import { Domain } from '@openbar/iommu'
  import { Device } from '@openbar/vfio'
  const domain = await Domain.open({ backend: '${backend}' })
  globalThis.kept = await Device.open('${address}', { domain })
  console.log('open')`

describe.each(backends)('the second opener on %s', (backend) => {
  const address = nicAddress('e1000e')
  let binding: Binding

  beforeAll(async () => {
    binding = await bindDriver(address, 'vfio-pci')
  })
  afterAll(() => binding.restore())

  it.each(backends)('is told which other process has it on %s, by pid and program, until that ends', async (holder) => {
    await using domain = await Domain.open({ backend })
    {
      await using child = await startChild(keeping(address, holder))
      const error = await errorOf('ERR_GROUP_BUSY', () => Device.open(address, { domain }))
      expect(error.message).toContain(address)
      expect(error.message).toContain(`is held by node (process ${child.pid})`)
      expect(error.context.holders).toEqual([{ pid: child.pid, command: 'node' }])
      expect(domain.snapshot().devices).toEqual([])
    }
    await using device = await Device.open(address, { domain })
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('in the same process and domain is told so, and the first goes on', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, { domain })
    const window = device.bar(0).map()
    const error = await errorOf('ERR_DEVICE_BUSY', () => Device.open(address, { domain }))
    expect(error.message).toContain(`${address} is in this domain already`)
    expect(error.hint).toContain('opened first')
    expect(domain.snapshot().devices).toEqual([address])
    expect(window.read32(STATUS)).toBeGreaterThan(0)
  })

  it.each(backends)(
    'in the same process and another domain, on %s, is told so, and the first goes on',
    async (other) => {
      await using domain = await Domain.open({ backend })
      await using device = await Device.open(address, { domain })
      const window = device.bar(0).map()
      for (const isolated of other === 'iommufd' ? [false, true] : [false]) {
        await using elsewhere = await Domain.open({ backend: other, isolated })
        const error = await errorOf('ERR_GROUP_BUSY', () => Device.open(address, { domain: elsewhere }))
        expect(error.message).toContain(`${address} cannot join this domain`)
        expect(error.message).toContain(`group ${device.group} is in another domain of this process`)
        expect(elsewhere.snapshot().devices).toEqual([])
      }
      await errorOf('ERR_GROUP_BUSY', () => Device.open(address))
      expect(window.read32(STATUS)).toBeGreaterThan(0)
    },
  )

  it('is let in when the first has closed, or has left its domain', async () => {
    await using domain = await Domain.open({ backend })
    await using first = await Device.open(address, { domain })
    first.unsetDomain()
    {
      await using second = await Device.open(address, { domain })
      expect(second.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
      await errorOf('ERR_DEVICE_BUSY', () => first.setDomain(domain))
    }
    first.setDomain(domain)
    expect(first.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })
})
