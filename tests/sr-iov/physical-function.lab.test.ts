import { existsSync } from 'node:fs'
import { Domain } from '@openbar/iommu'
import { listFunctions } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'

const VERSION = 0x08
const physical = listFunctions()
  .map(({ address }) => address.toString())
  .find((address) => existsSync(`/sys/bus/pci/devices/${address}/sriov_totalvfs`))
if (physical === undefined) throw new Error('This guest has no device with virtual functions.')

describe.each(backends)('an NVMe controller with virtual functions on %s', (backend) => {
  it('takes a VF token, which nobody can read', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(physical, { domain, bind: true })
    expect(device.features.vfToken).toEqual({ get: false, set: true })
    device.setVfToken('2ab74924-c335-45f4-9b16-8569e5b08258')
    device.setVfToken(crypto.randomUUID())
    await errorOf('ERR_INVALID_ARGUMENT', () => device.setVfToken('2ab74924'))
  })

  it('is reset by its function level reset', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(physical, { domain, bind: true })
    expect(device.resetMethods).toMatchObject({ function: true })
    expect(device.resetMethods.methods).toContain('flr')
    device.config.command.busMasterEnable = true
    const before = device.config.command.value
    const window = device.bar(0).map()
    const version = window.read32(VERSION)
    device.reset()
    await errorOf('ERR_CLOSED', () => window.read32(VERSION))
    expect(device.bar(0).map().read32(VERSION)).toBe(version)
    expect(device.config.command.value).toBe(before)
  })
})
