import { invalidArgument } from '@openbar/linux'
import type { Attachable } from './attachable.ts'
import type { PickOptions } from './domain-options.ts'
import { toIova } from './iova.ts'
import type { Placement } from './iova-allocator.ts'
import { END_OF_SPACE } from './span.ts'

/**
 * Where memory may lie: as its maker wants it, and so that each device of the domain drives enough address lines to reach it.
 *
 * @param size - Bytes; rounded up to whole pages.
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for an alignment that is no power of two, or no address as a limit.
 */
export function placementOf(
  size: number,
  pageSize: number,
  { align = pageSize, maxIova }: PickOptions,
  devices: readonly Attachable[],
): Required<Placement> {
  const wanted = Number.isSafeInteger(align) && align > 0 ? BigInt(align) : 0n
  if (wanted === 0n || (wanted & (wanted - 1n)) !== 0n) throw invalidArgument('align', align, 'a power of two')
  const chosen = maxIova === undefined ? END_OF_SPACE : wholePages(toIova(maxIova, 'maxIova') + 1n, pageSize)
  return {
    size: Math.ceil(size / pageSize) * pageSize,
    align: Math.max(align, pageSize),
    limit: devices.reduce((limit, { addressBits = 64 }) => Math.min(limit, 2 ** addressBits), chosen),
  }
}

/** What lies below an address in whole pages: such a number is exact. */
function wholePages(end: bigint, pageSize: number): number {
  const page = BigInt(pageSize)
  return Number((end / page) * page)
}
