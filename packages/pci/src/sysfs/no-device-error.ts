import { OpenbarError } from '@openbar/linux/errors'
import { listDirectory } from '@openbar/linux/sysfs'
import { PciAddress } from '../address/pci-address.ts'
import type { SysfsOptions } from './sysfs-options.ts'
import { busPath } from './sysfs-path.ts'

const SHOWN = 3

/** The error for an address at which nothing is, with the addresses that were most likely meant. */
export function noDeviceError(address: PciAddress, options: SysfsOptions): OpenbarError<'ERR_NO_DEVICE'> {
  const directory = busPath(options, 'devices')
  const present = listDirectory(directory)
  return new OpenbarError('ERR_NO_DEVICE', {
    message: `There is no PCI function ${address}.`,
    hint:
      present.length === 0 ? `${directory} lists no function at all: is sysfs mounted?` : hintFrom(address, present),
    context: { address: address.toString() },
  })
}

function hintFrom(address: PciAddress, present: readonly string[]): string {
  const near = present
    .map((name) => PciAddress.from(name))
    .map((other) => ({ other, distance: distance(address, other) }))
    .filter((candidate) => candidate.distance <= 2)
    .sort((a, b) => a.distance - b.distance || PciAddress.compare(a.other, b.other))
    .slice(0, SHOWN)
    .map((candidate) => candidate.other.toString())
  if (near.length === 0) return `${present.length} others exist: listFunctions() or lspci -D shows them.`
  return `Was ${near.join(' or ')} meant?`
}

/** How many of the four parts differ: a typing error changes one, a wrong slot two. */
function distance(a: PciAddress, b: PciAddress): number {
  const parts = ['domain', 'bus', 'device', 'function'] as const
  return parts.filter((part) => a[part] !== b[part]).length
}
