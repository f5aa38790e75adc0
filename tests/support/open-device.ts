import { type BackendName, Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'
import { nicAddress } from './nics.ts'

/** A device in a domain of its own, on the backend of the test; disposing closes both. */
export interface OpenDevice extends AsyncDisposable {
  readonly device: Device
  readonly domain: Domain
}

export async function openDevice(model: 'e1000' | 'e1000e', backend: BackendName): Promise<OpenDevice> {
  const domain = await Domain.open({ backend })
  const device = await Device.open(nicAddress(model), { domain, bind: true })
  return {
    device,
    domain,
    async [Symbol.asyncDispose]() {
      await device.close()
      domain.close()
    },
  }
}
