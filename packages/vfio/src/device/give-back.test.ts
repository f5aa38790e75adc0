import { OpenbarError } from '@openbar/linux'
import { PciAddress } from '@openbar/pci'
import { describe, expect, it } from 'vitest'
import { giveBack } from './give-back.ts'

const address = PciAddress.from('0000:00:02.0')
const gone = () => {
  throw new OpenbarError('ERR_NO_DEVICE', { message: 'No such device.', context: { address: String(address) } })
}

function bindingThat(restore: () => Promise<void> = async () => {}) {
  let restored = 0
  return {
    address,
    driver: 'vfio-pci',
    previousDriver: 'e1000e',
    restore: async () => {
      restored += 1
      await restore()
    },
    get restored() {
      return restored
    },
  }
}

describe('giveBack', () => {
  it('gives the device back to its old driver', async () => {
    const binding = bindingThat()
    await giveBack(binding, false, () => 'vfio-pci')
    expect(binding.restored).toBe(1)
  })

  it('has nothing to do for a device that was removed', async () => {
    const binding = bindingThat()
    await giveBack(binding, true, gone)
    await giveBack(binding, false, gone)
    expect(binding.restored).toBe(0)
  })

  it('does not mind that it is removed meanwhile, and tells of any other failure', async () => {
    let there = true
    const removed = bindingThat(async () => {
      there = false
      throw new Error('No such file.')
    })
    await giveBack(removed, false, () => (there ? 'vfio-pci' : gone()))
    const failing = bindingThat(() => Promise.reject(new Error('The probe failed.')))
    await expect(giveBack(failing, false, () => 'vfio-pci')).rejects.toThrow('The probe failed.')
  })

  it('waits for whoever asked for it, and leaves the driver that it has then', async () => {
    let looks = 0
    const binding = bindingThat()
    await giveBack(binding, true, () => {
      looks += 1
      return looks < 3 ? 'vfio-pci' : 'pci-stub'
    })
    expect(looks).toBeGreaterThanOrEqual(3)
    expect(binding.restored).toBe(0)
  })

  it('gives it back when it was only unbound', async () => {
    const binding = bindingThat()
    await giveBack(binding, true, () => undefined)
    expect(binding.restored).toBe(1)
  })
})
