import {
  Errno,
  type Fd,
  IOMMU_IOAS_COPY,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  invalidArgument,
  iommuIoasCopy,
  OpenbarError,
  tryIoctl,
} from '@openbar/linux'
import { assertAccess, type DmaAccess, deviceReads, deviceWrites } from '../access.ts'
import { assertWithin } from '../assert-within.ts'
import { mapError } from '../backend/map-error.ts'
import { assertSize, formatRange, type Iova, MAX_IOVA, toIova } from '../iova.ts'
import { bigToNumber } from '../words.ts'
import { iovaRanges } from './iova-ranges.ts'
import { refusal } from './refusal.ts'

/** What to copy, and where to. */
export interface CopyMappingOptions {
  /** The kernel's number of the address space that the memory is mapped in. */
  readonly from: number
  /** The first address there. */
  readonly fromIova: Iova
  /** The kernel's number of the address space to map it in too; may be the same. */
  readonly to: number
  /** The first address there. */
  readonly toIova: Iova
  /** Bytes; any part of what is mapped, also across mappings that touch. */
  readonly size: number
  /** What devices may do; `read-write` by default. */
  readonly access?: DmaAccess
}

/**
 * Maps in one address space what is mapped in another of the same context. The memory is pinned once, and neither its
 * address in this process nor the memory itself is needed any more; each of the two mappings is unmapped by itself.
 *
 * @param fd - The context of both.
 * @throws {@link OpenbarError} `ERR_NOT_MAPPED` when the source is not mapped throughout; `ERR_IOVA_IN_USE`,
 *   `ERR_IOVA_RANGE` and `ERR_IOVA_ALIGNMENT` for the target; `ERR_INVALID_ARGUMENT`, also for the right to write
 *   memory that was mapped without it; `ERR_MEMLOCK`, `ERR_NOT_SUPPORTED`, `ERR_SYSCALL`. Nothing is mapped then.
 * @see linux/iommufd.h, `struct iommu_ioas_copy`
 *
 * @example
 * ```ts
 * copyMapping(fd, { from: 1, fromIova: 0x1000_0000, to: 2, toIova: 0x4000_0000, size: 2 * 1024 * 1024, access: 'read'
 * })
 * ```
 */
export function copyMapping(fd: Fd<'iommufd'>, options: CopyMappingOptions): void {
  const { from, to, access = 'read-write' } = options
  assertAccess(access)
  assertSize(options.size)
  const size = BigInt(options.size)
  const fromIova = toIova(options.fromIova, 'fromIova')
  const target = toIova(options.toIova, 'toIova')
  for (const [name, iova] of [['fromIova', fromIova] as const, ['toIova', target] as const]) {
    if (iova + size - 1n > MAX_IOVA) throw invalidArgument(name, iova, 'an address with room for size bytes after it')
  }
  const command = iommuIoasCopy.allocate()
  command.size = iommuIoasCopy.size
  command.flags =
    IOMMU_IOAS_MAP_FIXED_IOVA |
    (deviceReads(access) ? IOMMU_IOAS_MAP_READABLE : 0) |
    (deviceWrites(access) ? IOMMU_IOAS_MAP_WRITEABLE : 0)
  command.src_ioas_id = from
  command.dst_ioas_id = to
  command.length = size
  command.src_iova = fromIova
  command.dst_iova = target
  const result = tryIoctl(fd, IOMMU_IOAS_COPY, command)
  if (result >= 0) return
  const errno = -result
  const syscall = 'ioctl(IOMMU_IOAS_COPY)'
  switch (errno) {
    case Errno.ENOENT:
      throw new OpenbarError('ERR_NOT_MAPPED', {
        message: `${formatRange(fromIova, size)} of address space ${from} cannot be copied: it is not mapped throughout, or there is no address space ${from} or ${to} in this context.`,
        hint: 'Copy what is mapped, inside one iommufd context.',
        context: { iova: fromIova, size },
        errno,
        syscall,
      })
    case Errno.EPERM:
      throw invalidArgument('access', access, "'read', since the memory was mapped without the right to write it")
    case Errno.EINVAL: {
      const { ranges, alignment } = iovaRanges({ fd, ioas: to })
      if (target % alignment !== 0n || size % alignment !== 0n || fromIova % alignment !== 0n) {
        throw alignmentError(target, size, alignment, to)
      }
      assertWithin(ranges, target, size)
      throw refusal(IOMMU_IOAS_COPY, errno, { what: 'copies', target: formatRange(target, size), since: '6.2' })
    }
    case Errno.EEXIST:
    case Errno.ENOMEM:
    case Errno.EFAULT:
      throw mapError(syscall, errno, { start: bigToNumber(target), size: options.size, address: 0, access })
    default:
      throw refusal(IOMMU_IOAS_COPY, errno, { what: 'copies', target: formatRange(target, size), since: '6.2' })
  }
}

function alignmentError(iova: bigint, size: bigint, alignment: bigint, ioas: number): OpenbarError {
  return new OpenbarError('ERR_IOVA_ALIGNMENT', {
    message: `${formatRange(iova, size)} cannot be mapped in address space ${ioas}: its IOMMU maps multiples of ${alignment} bytes.`,
    hint: `Make the addresses and the size multiples of ${alignment}.`,
    context: { iova, size, alignment },
  })
}
