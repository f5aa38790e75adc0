import { groups } from '@openbar/iommu'
import { readFunction } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'

describe('a machine without an IOMMU', () => {
  it('has no groups', () => {
    expect(groups()).toEqual([])
  })

  it('refuses to open a device, says what to switch on, and leaves its binding alone', async () => {
    const address = nicAddress('e1000e')
    const before = readFunction(address).driver
    const error = await errorOf('ERR_NO_IOMMU', () => Device.open(address, { bind: true }))
    expect(error.message).toContain(address)
    expect(error.message).toContain('intel_iommu=on')
    expect(readFunction(address).driver).toBe(before)
  })
})
