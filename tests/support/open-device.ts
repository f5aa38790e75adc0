import { type BackendName, Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'
import { nicAddress } from './nics.ts'

/** A device in a domain of its own, on the backend of the test; disposing closes both. */
export interface OpenDevice extends AsyncDisposable {
  readonly device: Device
  readonly domain: Domain
}

export async function openDevice(model: 'e1000' | 'e1000e', backend: BackendName): Promise<OpenDevice> {
  await using opening = new AsyncDisposableStack()
  const domain = opening.use(await Domain.open({ backend }))
  const device = opening.use(await Device.open(nicAddress(model), { domain, bind: true }))
  const opened = opening.move()
  return { device, domain, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
