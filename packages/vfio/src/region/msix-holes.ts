import { type Fd, VFIO_PCI_CONFIG_REGION_INDEX } from '@openbar/linux'
import { ConfigSpace, type Msix } from '@openbar/pci'
import { FileWindow } from '../window/file-window.ts'
import { type MappableArea, readRegionInfo } from './region-info.ts'

const TABLE_ENTRY = 16

/** Where a device's MSI-X table and pending bits lie in one of its BARs. */
export function readMsixHoles(fd: Fd<'device'>, bar: number, address: string): MappableArea[] {
  const info = readRegionInfo(fd, VFIO_PCI_CONFIG_REGION_INDEX, address)
  const owner = { checkPresence: () => {}, windowClosed: () => {} }
  const config = new FileWindow(fd, info, { address, region: 'config space' }, owner)
  const msix = new ConfigSpace(config).capabilities().find('msix')
  return msix === undefined ? [] : msixHoles(msix, bar)
}

/**
 * The same, from the capability.
 *
 * @see PCI Local Bus 3.0, 6.8.2: 16 bytes for each vector in the table, and one bit in whole 64-bit words of pending bits
 */
export function msixHoles({ table, pendingBits, tableSize }: Msix, bar: number): MappableArea[] {
  return [
    { ...table, size: tableSize * TABLE_ENTRY },
    { ...pendingBits, size: Math.ceil(tableSize / 64) * 8 },
  ]
    .filter((place) => place.bar === bar)
    .map(({ offset, size }) => ({ offset, size }))
}
