import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Domain } from '@openbar/iommu'
import { type Binding, bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'

const DEVICES = '/sys/bus/pci/devices'
const SWITCH = '/sys/module/vfio_pci/parameters/enable_sriov'

/** The one device of the guest that can have virtual functions. */
function physicalFunction(): string {
  const address = readdirSync(DEVICES).find((each) => existsSync(`${DEVICES}/${each}/sriov_totalvfs`))
  if (address === undefined) throw new Error('This guest has no device with SR-IOV.')
  return address
}

describe.each(backends)("an SR-IOV function's VF token, on %s", (backend) => {
  const physical = physicalFunction()
  const switchBefore = readFileSync(SWITCH, 'utf8').trim()
  let binding: Binding
  let virtual = ''

  beforeAll(async () => {
    writeFileSync(SWITCH, 'Y')
    binding = await bindDriver(physical, 'vfio-pci')
    writeFileSync(`${DEVICES}/${physical}/sriov_numvfs`, '1')
    virtual = basename(readlinkSync(`${DEVICES}/${physical}/virtfn0`))
    // The kernel has vfio-pci take what a physical function of its own brings forth.
    expect(basename(readlinkSync(`${DEVICES}/${virtual}/driver`))).toBe('vfio-pci')
  })
  afterAll(async () => {
    writeFileSync(`${DEVICES}/${physical}/sriov_numvfs`, '0')
    await binding.restore()
    writeFileSync(SWITCH, switchBefore)
  })

  const inDomain = async (address: string, vfToken: string | undefined, use: (device: Device) => Promise<void>) => {
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(address, vfToken === undefined ? { domain } : { domain, vfToken })
    await use(device)
  }
  const refused = (address: string, vfToken?: string) =>
    errorOf('ERR_PERMISSION', () => inDomain(address, vfToken, async () => {}))

  it.runIf(backend !== 'iommufd')(
    'is chosen by who opens the physical one, and has to be known for the other',
    async () => {
      const token = randomUUID()
      expect((await refused(virtual)).message).toContain('without its VF token')
      await inDomain(physical, token, async (device) => {
        expect(device.config.vendorId).toBe(0x1b36)
        expect((await refused(virtual)).message).toContain('without its VF token')
        expect((await refused(virtual, randomUUID())).message).toContain('not the one')
        await inDomain(virtual, token, async (vf) => expect(vf.bar(0).size).toBeGreaterThan(0))
      })
      // While the virtual one is in use, so has it for the physical one.
      await inDomain(virtual, token, async () => {
        await refused(physical)
        await refused(physical, randomUUID())
        await inDomain(physical, token, async (device) => expect(device.config.vendorId).toBe(0x1b36))
      })
    },
  )

  it.runIf(backend === 'iommufd')('is refused by a kernel that takes it through groups alone', async () => {
    await using domain = await Domain.open({ backend })
    const opening = () => Device.open(physical, { domain, vfToken: randomUUID() })
    const error = await errorOf('ERR_NOT_SUPPORTED', opening)
    expect(error.message).toContain("backend: 'type1'")
  })
})
