import {
  Errno,
  IOMMU_IOAS_COPY,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  iommuIoasCopy,
  OpenbarError,
  syscallError,
  tryIoctl,
} from '@openbar/linux'
import { formatRange } from '../iova.ts'
import type { IommufdAddressSpace } from './address-space.ts'
import { iovaRanges } from './iova-ranges.ts'

/**
 * Whether a range of an address space is mapped throughout. Nothing is changed.
 *
 * The kernel has no request for that. It is asked to copy the range onto itself, which always fails: with EEXIST when
 * every byte of the source is mapped, so that the target is taken, and with ENOENT before that when one is not.
 *
 * @throws {@link OpenbarError} `ERR_IOVA_ALIGNMENT`, `ERR_SYSCALL`.
 */
export function isMapped(space: IommufdAddressSpace, iova: bigint, size: bigint): boolean {
  const command = iommuIoasCopy.allocate()
  command.size = iommuIoasCopy.size
  command.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE
  command.src_ioas_id = space.ioas
  command.dst_ioas_id = space.ioas
  command.length = size
  command.src_iova = iova
  command.dst_iova = iova
  const errno = -tryIoctl(space.fd, IOMMU_IOAS_COPY, command)
  if (errno === Errno.EEXIST) return true
  if (errno === Errno.ENOENT) return false
  const { alignment } = iovaRanges(space)
  if (iova % alignment !== 0n || size % alignment !== 0n) {
    throw new OpenbarError('ERR_IOVA_ALIGNMENT', {
      message: `${formatRange(iova, size)} is not made of whole pages of this IOMMU, which are ${alignment} bytes.`,
      hint: `Make the address and the size multiples of ${alignment}.`,
      context: { iova, size, alignment },
    })
  }
  throw syscallError('ioctl(IOMMU_IOAS_COPY)', errno, formatRange(iova, size))
}
