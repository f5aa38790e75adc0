import { type BackendName, Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'
import { nicAddresses } from './nics.ts'
import type { OpenDevice } from './open-device.ts'

/** Opens the first device of any QEMU model in a domain of its own; disposing closes both. */
export async function openModel(model: string, backend: BackendName): Promise<OpenDevice> {
  const [address] = nicAddresses(model)
  if (address === undefined) throw new Error(`This guest has no ${model}.`)
  await using opening = new AsyncDisposableStack()
  const domain = opening.use(await Domain.open({ backend }))
  const device = opening.use(await Device.open(address, { domain, bind: true }))
  const opened = opening.move()
  return { device, domain, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
