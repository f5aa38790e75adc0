import { spawnSync } from 'node:child_process'
import { Domain, groups } from '@openbar/iommu'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddresses } from '../support/nics.ts'

const [first, second] = nicAddresses('e1000') as [string, string]

describe.each(backends)('two NICs in one group on %s', (backend) => {
  it('cannot be opened while one has a kernel driver, and the error names it', async () => {
    expect(spawnSync('modprobe', ['e1000']).status).toBe(0)
    await using domain = await Domain.open({ backend })
    const error = await errorOf('ERR_GROUP_NOT_VIABLE', () => Device.open(first, { domain, bind: true }))
    expect(error.message).toContain(`${second} is bound to e1000`)
    expect(error.context.culprits).toEqual([{ address: second, driver: 'e1000' }])
    expect(error.hint).toContain(`bindDriver('${second}', 'vfio-pci')`)
    expect(domain.snapshot().devices).toEqual([])
    const group = groups().find(({ id }) => id === error.context.group)
    expect(group?.devices.map(({ address }) => address)).toEqual(expect.arrayContaining([first, second]))
    // The device that was tried has its driver back.
    expect(group?.devices.find(({ address }) => address === first)?.driver).toBe('e1000')
    expect(spawnSync('modprobe', ['-r', 'e1000']).status).toBe(0)
  })

  it('are opened together in one domain, and move one by one only within it', async () => {
    const binding = await bindDriver(second, 'vfio-pci')
    {
      await using domain = await Domain.open({ backend })
      await using one = await Device.open(first, { domain, bind: true })
      await using other = await Device.open(second, { domain })
      expect(one.group).toBe(other.group)
      expect(domain.snapshot().devices).toEqual([first, second])
      await one.close()
      expect(other.bar(0).map().read32(8)).toBeGreaterThan(0)
    }
    await binding.restore()
  })
})
