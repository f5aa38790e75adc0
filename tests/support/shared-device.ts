import { type BackendName, Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll } from 'vitest'
import { nicAddress } from './nics.ts'

/** A device in a domain, which all tests of a block use one after the other: opening one takes long. */
export interface SharedDevice {
  readonly domain: Domain
  readonly device: Device
}

/** Opens a device before the tests of the enclosing block, and closes it after them. */
export function shareDevice(backend: BackendName, model: 'e1000' | 'e1000e' = 'e1000e'): SharedDevice {
  const stack = new AsyncDisposableStack()
  let opened: SharedDevice | undefined
  beforeAll(async () => {
    const domain = stack.use(await Domain.open({ backend }))
    opened = { domain, device: stack.use(await Device.open(nicAddress(model), { domain, bind: true })) }
  })
  afterAll(() => stack.disposeAsync())
  const reach = () => {
    if (opened === undefined) throw new Error('The device is not open yet.')
    return opened
  }
  return {
    get domain() {
      return reach().domain
    },
    get device() {
      return reach().device
    },
  }
}
