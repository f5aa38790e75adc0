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

/** Makes a virtual function, and takes it away again. Its physical one has to be open: opening that resets it, and QEMU's are gone then. */
async function withVirtualFunction(use: (address: string) => Promise<void>): Promise<void> {
  const physical = physicalFunction()
  writeFileSync(`${DEVICES}/${physical}/sriov_numvfs`, '1')
  try {
    await use(basename(readlinkSync(`${DEVICES}/${physical}/virtfn0`)))
  } finally {
    writeFileSync(`${DEVICES}/${physical}/sriov_numvfs`, '0')
  }
}

describe.each(backends)("an SR-IOV function's VF token, on %s", (backend) => {
  const physical = physicalFunction()
  const switchBefore = readFileSync(SWITCH, 'utf8').trim()
  let binding: Binding

  beforeAll(async () => {
    writeFileSync(SWITCH, 'Y')
    binding = await bindDriver(physical, 'vfio-pci')
  })
  afterAll(async () => {
    await binding.restore()
    writeFileSync(SWITCH, switchBefore)
  })

  it.runIf(backend !== 'iommufd')(
    'is chosen by who opens the physical one, and has to be known for the other',
    async () => {
      const token = randomUUID()
      await using domain = await Domain.open({ backend })
      await using device = await Device.open(physical, { domain, vfToken: token })
      expect(device.config.vendorId).toBe(0x1b36)
      await withVirtualFunction(async (virtual) => {
        // The kernel has vfio-pci take what a physical function of its own brings forth.
        expect(basename(readlinkSync(`${DEVICES}/${virtual}/driver`))).toBe('vfio-pci')
        await using other = await Domain.open({ backend })
        const missing = await errorOf('ERR_PERMISSION', () => Device.open(virtual, { domain: other }))
        expect(missing.message).toContain('without its VF token')
        const wrong = await errorOf('ERR_PERMISSION', () =>
          Device.open(virtual, { domain: other, vfToken: randomUUID() }),
        )
        expect(wrong.message).toContain('not the one')
        expect(other.snapshot().devices).toEqual([])
        await using vf = await Device.open(virtual, { domain: other, vfToken: token })
        expect(vf.bar(0).map().size).toBeGreaterThan(0)
        expect(vf.config.command.busMasterEnable).toBe(false)
      })
    },
  )

  it.runIf(backend !== 'iommufd')('counts as it was set last', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(physical, { domain, vfToken: first })
    device.setVfToken(second)
    await withVirtualFunction(async (virtual) => {
      await using other = await Domain.open({ backend })
      await errorOf('ERR_PERMISSION', () => Device.open(virtual, { domain: other, vfToken: first }))
      await using vf = await Device.open(virtual, { domain: other, vfToken: second })
      expect(vf.bar(0).map().size).toBeGreaterThan(0)
    })
  })

  it.runIf(backend === 'iommufd')('is not asked for by such a kernel', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(physical, { domain })
    device.setVfToken(randomUUID())
    await withVirtualFunction(async (virtual) => {
      await using other = await Domain.open({ backend })
      await using vf = await Device.open(virtual, { domain: other })
      expect(vf.config.command.busMasterEnable).toBe(false)
    })
  })

  it.runIf(backend === 'iommufd')('is refused by a kernel that takes it through groups alone', async () => {
    await using domain = await Domain.open({ backend })
    const opening = () => Device.open(physical, { domain, vfToken: randomUUID() })
    const error = await errorOf('ERR_NOT_SUPPORTED', opening)
    expect(error.message).toContain("backend: 'type1'")
  })
})
