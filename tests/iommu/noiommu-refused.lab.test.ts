import { Domain, groups } from '@openbar/iommu'
import { bindDriver, readFunction } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'
import { hasNoIommuMode, NOIOMMU_SWITCH, switchNoIommuMode } from '../support/noiommu-switch.ts'
import { processState } from '../support/process-state.ts'

const backend = 'unsafe-noiommu'

describe('no-IOMMU mode on a machine with an IOMMU', () => {
  it('is off, and the error names the switch', async () => {
    const error = await errorOf('ERR_NO_BACKEND', () => Domain.open({ backend }))
    expect(error.hint).toContain(NOIOMMU_SWITCH)
  })

  // Only kernels that have the mode can refuse a device in it.
  if (hasNoIommuMode())
    it('is refused to a device that stands behind it, bound or not', async () => {
      using _on = switchNoIommuMode(true)
      const address = nicAddress('e1000e')
      // Behind a virtio-iommu the first driver brings the group, which stays.
      const state = () => ({ ...readFunction(address), iommuGroup: undefined, ...processState() })
      const before = state()
      {
        using domain = await Domain.open({ backend })
        const error = await errorOf('ERR_NOT_SUPPORTED', () => Device.open(address, { domain, bind: true }))
        expect(error.message).toContain(`${address} stands behind an IOMMU`)
        expect(error.hint).toContain('Domain.open()')
        expect(readFunction(address).driver).toBe(before.driver)
        await using _binding = await bindDriver(address, 'vfio-pci')
        await errorOf('ERR_NOT_SUPPORTED', () => Device.open(address, { domain }))
        expect(domain.snapshot().devices).toEqual([])
      }
      expect(state()).toEqual(before)
      expect(groups().some(({ noIommu }) => noIommu)).toBe(false)
      // With the mode on, domains are what they are without it.
      await using device = await Device.open(address, { bind: true })
      expect(device.domain.backend).not.toBe(backend)
    })
})
