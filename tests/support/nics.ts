import { describeLab } from '@openbar/lab/guest'

/** The addresses of this guest's NICs of a QEMU model, in the order of their slots. */
export function nicAddresses(model: string): string[] {
  return describeLab()
    .devices.filter((device) => device.model === model)
    .flatMap(({ address }) => (address === undefined ? [] : [address]))
}

/** The address of the one NIC of a QEMU model. */
export function nicAddress(model: 'e1000' | 'e1000e'): string {
  const [address] = nicAddresses(model)
  if (address === undefined) throw new Error(`This guest has no ${model}.`)
  return address
}

/** Intel's names for what QEMU emulates. */
export const NICS = [
  { model: 'e1000', chip: '82540EM', kinds: ['intx'] },
  { model: 'e1000e', chip: '82574L', kinds: ['intx', 'msi', 'msix'] },
] as const
