import { type Fd, invalidArgument, VFIO_PCI_ROM_REGION_INDEX } from '@openbar/linux'
import { type RegionInfo, readRegionInfo } from './region-info.ts'

/**
 * Asks the kernel for one of a device's BARs.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for what is no number of one.
 */
export function readBar(fd: Fd<'device'>, index: number, address: string): RegionInfo {
  if (!Number.isInteger(index) || index < 0 || index >= VFIO_PCI_ROM_REGION_INDEX) {
    throw invalidArgument('region', index, 'the number of a BAR, 0 to 5')
  }
  return readRegionInfo(fd, index, address)
}
