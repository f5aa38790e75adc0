import {
  addressOf,
  Errno,
  type InclusiveRange,
  IOMMU_IOAS_ALLOW_IOVAS,
  invalidArgument,
  iommuIoasAllowIovas,
  tryIoctl,
} from '@openbar/linux'
import { assertWithin } from '../assert-within.ts'
import { type Iova, toIova } from '../iova.ts'
import type { IommufdAddressSpace } from './address-space.ts'
import { iovaRanges } from './iova-ranges.ts'
import { refusal } from './refusal.ts'

/**
 * Asks for ranges that an address space keeps: a device that cannot reach all of them is refused when it joins, instead
 * of narrowing what can be mapped.
 *
 * @param ranges - Inclusive at both ends, of two bytes or more, none overlapping another. They replace those of the
 *   last call; none lifts the demand.
 * @throws {@link OpenbarError} `ERR_IOVA_RANGE` when a device that is in cannot reach them, listing what can be
 *   reached; `ERR_INVALID_ARGUMENT`, `ERR_NOT_SUPPORTED`, `ERR_SYSCALL`. The last call's ranges stay then.
 * @see linux/iommufd.h, `struct iommu_ioas_allow_iovas`
 *
 * @example
 * ```ts
 * allowIovas(space, [{ start: 0x1_0000_0000n, last: 0x1_ffff_ffffn }])
 * ```
 */
export function allowIovas(
  space: IommufdAddressSpace,
  ranges: readonly { readonly start: Iova; readonly last: Iova }[],
): void {
  const wanted = checkRanges(ranges)
  // The list stands behind the struct, so that it lives as long as the call.
  const { size } = iommuIoasAllowIovas
  const command = iommuIoasAllowIovas.allocate(wanted.length * 16)
  command.size = size
  command.ioas_id = space.ioas
  command.num_iovas = wanted.length
  command.allowed_iovas = addressOf(command.bytes) + BigInt(size)
  for (const [index, { start, last }] of wanted.entries()) {
    command.view.setBigUint64(size + index * 16, start, true)
    command.view.setBigUint64(size + index * 16 + 8, last, true)
  }
  const result = tryIoctl(space.fd, IOMMU_IOAS_ALLOW_IOVAS, command)
  if (result >= 0) return
  if (result === -Errno.EADDRINUSE) {
    const reachable = iovaRanges(space).ranges
    for (const { start, last } of wanted) assertWithin(reachable, start, last - start + 1n)
  }
  throw refusal(IOMMU_IOAS_ALLOW_IOVAS, -result, {
    what: 'ranges that an address space keeps',
    target: `address space ${space.ioas}`,
    since: '6.2',
  })
}

/** The kernel says EINVAL to each of these alike. */
function checkRanges(ranges: readonly { readonly start: Iova; readonly last: Iova }[]): InclusiveRange[] {
  const checked = ranges.map(({ start, last }) => ({ start: toIova(start, 'start'), last: toIova(last, 'last') }))
  checked.sort((a, b) => (a.start < b.start ? -1 : 1))
  for (const [index, range] of checked.entries()) {
    if (range.last <= range.start) throw invalidArgument('ranges', range, 'ranges that end after their start')
    const next = checked[index + 1]
    if (next !== undefined && next.start <= range.last) {
      throw invalidArgument('ranges', ranges, 'ranges that do not overlap')
    }
  }
  return checked
}
