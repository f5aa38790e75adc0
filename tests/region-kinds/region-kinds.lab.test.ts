import { Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddresses } from '../support/nics.ts'

const ROM = 6
// QEMU's specification of its edu device: qemu.org/docs/master/specs/edu.html
const EDU_IDENTIFICATION = 0x00
const EDU_LIVENESS = 0x04
// SD Host Controller Simplified Specification 3.00, 2.2: present state, argument and capabilities; 256 bytes in all.
const SD_ARGUMENT = 0x08
const SD_HOST_CONTROL = 0x28
const SD_CAPABILITIES = 0x40

describe.each(backends)('regions of other kinds on %s', (backend) => {
  const withDevice = async (model: string, run: (device: Device) => unknown) => {
    const [address = ''] = nicAddresses(model)
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, { domain, bind: true })
    await run(device)
  }

  it('reads a ROM, and says that it cannot be written', async () => {
    await withDevice('edu', async (device) => {
      const region = device.region(ROM)
      expect(region.info).toMatchObject({ readable: true, writable: false, mappableAreas: [] })
      using rom = region.map()
      // The signature of an expansion ROM (PCI Firmware 3.0, 5.1.1).
      expect([rom.read16(0), rom.read8(0), rom.read8(1)]).toEqual([0xaa55, 0x55, 0xaa])
      const error = await errorOf('ERR_REGION', () => rom.write32(0, 0))
      expect(error.message).toBe(`${device.address}, ROM can only be read.`)
      expect(device.bar(0).map().read32(EDU_IDENTIFICATION) & 0xff).toBe(0xed)
    })
  })

  it('has a BAR that is smaller than a page behind the same window, mapped or not', async () => {
    await withDevice('sdhci-pci', async (device) => {
      const region = device.bar(0)
      expect(region.size).toBe(256)
      using window = region.map()
      expect(window.mapped).toBe(region.mappableAreas.length > 0)
      console.log(`A BAR of 256 bytes is ${window.mapped ? 'mapped' : 'reached by read and write'}.`)
      expect(window.read32(SD_CAPABILITIES)).not.toBe(0)
      window.write32(SD_ARGUMENT, 0x1234_5678)
      expect(window.read32(SD_ARGUMENT)).toBe(0x1234_5678)
      window.write8(SD_HOST_CONTROL, 0x02)
      expect([window.read8(SD_HOST_CONTROL), window.read16(SD_HOST_CONTROL) & 0xff]).toEqual([2, 2])
      window.write16(SD_ARGUMENT, 0xabcd)
      expect(window.read32(SD_ARGUMENT)).toBe(0x1234_abcd)
      await errorOf('ERR_OUT_OF_BOUNDS', () => window.read32(256))
      await errorOf('ERR_OUT_OF_BOUNDS', () => window.write8(256, 0))
    })
  })

  it('maps what a device has beside its table of vectors', async () => {
    await withDevice('edu', (device) => {
      using window = device.bar(0).map()
      expect(window.mapped).toBe(true)
      window.write32(EDU_LIVENESS, 0x1234_5678)
      expect(window.read32(EDU_LIVENESS)).toBe(0xedcb_a987)
    })
  })
})
