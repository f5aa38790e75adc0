import { OpenbarError } from '@openbar/linux'
import { PciAddress } from '@openbar/pci'
import { describe, expect, it } from 'vitest'
import { giveBackAfter } from './device-binding.ts'

const error = new OpenbarError('ERR_GROUP_BUSY', { message: 'Group 1 is busy.', context: { group: 1, holders: [] } })
const bindingThat = (restore: () => Promise<void>) => ({
  address: PciAddress.from('0000:00:02.0'),
  previousDriver: 'e1000e',
  restore,
})

describe('giveBackAfter', () => {
  it('gives the device back, and throws what went wrong before', async () => {
    let restored = 0
    const binding = bindingThat(async () => {
      restored += 1
    })
    await expect(giveBackAfter(error, binding)).rejects.toBe(error)
    expect(restored).toBe(1)
  })

  it('keeps the code when the old driver does not take it, and names both failures', async () => {
    const binding = bindingThat(() => Promise.reject(new Error('The probe failed.')))
    const thrown: unknown = await giveBackAfter(error, binding).catch((reason: unknown) => reason)
    expect(thrown).toMatchObject({ code: 'ERR_GROUP_BUSY', context: { group: 1 } })
    expect(String(thrown)).toContain(
      'Group 1 is busy. 0000:00:02.0 could not be given back to e1000e either: The probe failed.',
    )
  })
})
