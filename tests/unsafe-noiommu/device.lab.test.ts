import { readSync, writeSync } from 'node:fs'
import { type Attachment, type BackendName, Domain } from '@openbar/iommu'
import { queryInfo, VFIO_DEVICE_GET_REGION_INFO, VFIO_PCI_CONFIG_REGION_INDEX, vfioRegionInfo } from '@openbar/linux'
import { bindDriver, readFunction } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { hugepagePool, setHugepages } from '../support/hugepage-pool.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'

const PAGE = 4096
const HUGE = 2 * 1024 * 1024
const POOL = 4
const COMMAND = 4
const BUS_MASTER = 4
const TRANSLATING: readonly BackendName[] = ['iommufd', 'type1', 'iommufd-compat']

/** Sets the bit in the command register of a device that is no `Device`. */
function setBusMaster({ fd }: Attachment, on: boolean): void {
  const { offset } = queryInfo(fd, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo, 'config space', (info) => {
    info.index = VFIO_PCI_CONFIG_REGION_INDEX
  })
  const command = new Uint16Array(1)
  readSync(fd, command, 0, 2, Number(offset) + COMMAND)
  command[0] = on ? command[0]! | BUS_MASTER : command[0]! & ~BUS_MASTER
  writeSync(fd, command, 0, 2, Number(offset) + COMMAND)
}

describe.each(backends)('devices on %s', (backend) => {
  beforeAll(() => setHugepages(POOL))
  afterAll(() => setHugepages(0))

  it.each(NICS)('are bound when a domain without an IOMMU is named, and given back: $chip', async ({ model }) => {
    const address = nicAddress(model)
    const before = readFunction(address)
    {
      await using opened = await openDevice(model, backend)
      expect(readFunction(address)).toMatchObject({ driver: 'vfio-pci', iommuGroup: opened.device.group })
      expect(opened.device.config.vendorId).toBe(0x8086)
      expect(opened.device.config.command.busMasterEnable).toBe(false)
    }
    expect(readFunction(address)).toEqual(before)
  })

  it.each([undefined, ...TRANSLATING])('are not bound for a domain that needs an IOMMU: %s', async (name) => {
    const address = nicAddress('e1000e')
    const before = readFunction(address)
    using domain = name && (await Domain.open({ backend: name }))
    const error = await errorOf('ERR_NO_IOMMU', () => Device.open(address, { bind: true, ...(domain && { domain }) }))
    expect(error.message).toContain(address)
    expect(readFunction(address)).toEqual(before)
  })

  it.each(TRANSLATING)('in a group without an IOMMU do not join a domain on %s', async (name) => {
    const address = nicAddress('e1000e')
    await using _binding = await bindDriver(address, 'vfio-pci')
    const before = processState()
    {
      using domain = await Domain.open({ backend: name, isolated: name === 'iommufd' })
      const error = await errorOf('ERR_NO_IOMMU', () => Device.open(address, { domain }))
      expect(error.hint).toContain("Domain.open({ backend: 'unsafe-noiommu' })")
      expect(domain.snapshot().devices).toEqual([])
    }
    await errorOf('ERR_NO_IOMMU', () => Device.open(address))
    expect(processState().files).toEqual(before.files)
    // Still to be had, by who names it.
    await using opened = await openDevice('e1000e', backend)
    expect(opened.device.config.vendorId).toBe(0x8086)
  })

  it('stay with a buffer, and in the domain, while they are bus master', async () => {
    const address = nicAddress('e1000')
    await using _binding = await bindDriver(address, 'vfio-pci')
    const { iommuGroup: group = -1 } = readFunction(address)
    using domain = await Domain.open({ backend })
    const buffer = domain.allocate(PAGE)
    const attachment = domain.attach({ address, group, cdev: undefined })
    setBusMaster(attachment, true)
    for (const close of [() => buffer.close(), () => attachment.detach()]) {
      const error = await errorOf('ERR_DOMAIN_STATE', close)
      expect(error.context).toEqual({ state: 'bus master' })
      expect(error.message).toContain(address)
    }
    buffer.u32[0] = 1
    expect(domain.snapshot()).toMatchObject({ devices: [address], mappings: [{ iova: buffer.iova }] })
    domain.close()
    expect(domain.snapshot()).toMatchObject({ state: 'closing', mappings: [{ iova: buffer.iova }] })
    await errorOf('ERR_DOMAIN_STATE', () => buffer.close())
    expect([buffer.closed, hugepagePool(HUGE).free]).toEqual([false, POOL - 1])
    setBusMaster(attachment, false)
    attachment.detach()
    expect([buffer.closed, hugepagePool(HUGE).free, domain.snapshot().state]).toEqual([true, POOL, 'closed'])
  })

  it('keep all buffers of their domain, of which each of them may know', async () => {
    await using domain = await Domain.open({ backend })
    await using quiet = await Device.open(nicAddress('e1000'), { domain, bind: true })
    await using busy = await Device.open(nicAddress('e1000e'), { domain, bind: true })
    const buffer = domain.allocate(PAGE)
    busy.config.command.busMasterEnable = true
    await errorOf('ERR_DOMAIN_STATE', () => buffer.close())
    await quiet.close()
    await errorOf('ERR_DOMAIN_STATE', () => buffer.close())
    busy.reset()
    expect(busy.config.command.busMasterEnable).toBe(true)
    await busy.close()
    buffer.close()
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })

  it.each(NICS)('are brought to rest by leaving, closing or moving: $chip', async ({ model }) => {
    await using opened = await openDevice(model, backend)
    const { device, domain } = opened
    device.config.command.busMasterEnable = true
    device.unsetDomain()
    domain.allocate(PAGE).close()
    using other = await Domain.open({ backend })
    const buffer = other.allocate(PAGE)
    device.setDomain(domain)
    expect(device.config.command.busMasterEnable).toBe(false)
    device.config.command.busMasterEnable = true
    device.setDomain(other)
    expect([domain.snapshot().devices, other.snapshot().devices]).toEqual([[], [device.address]])
    expect(device.config.command.busMasterEnable).toBe(false)
    device.config.command.busMasterEnable = true
    await device.close()
    buffer.close()
    expect(hugepagePool(HUGE).free).toBe(POOL)
  })
})
