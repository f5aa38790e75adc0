import { hugepageBytes, invalidArgument, type MappedMemory, OpenbarError, physicalAddresses } from '@openbar/linux'
import { assertChoice } from './assert-choice.ts'
import { HUGEPAGE_CHOICES, makeDmaMemory } from './dma-memory.ts'
import type { AllocateOptions } from './domain-options.ts'
import { formatIova } from './iova.ts'

/** Memory for devices without an IOMMU, and the physical address of its first byte. */
export interface PhysicalMemory {
  readonly memory: MappedMemory
  readonly address: bigint
}

/**
 * Makes memory that stands in one piece in the machine's memory, and stays where it is: a hugepage.
 *
 * @param size - Bytes, no more than one hugepage.
 * @param limit - The end of what devices can reach.
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` for a chosen address, or more than one hugepage; `ERR_NO_HUGEPAGES`;
 *   `ERR_IOVA_EXHAUSTED` for a page above the limit; `ERR_INVALID_ARGUMENT`, `ERR_PERMISSION`.
 */
export function makePhysicalMemory(size: number, options: AllocateOptions, limit: number): PhysicalMemory {
  if (options.iova !== undefined) {
    throw notSupported('an address cannot be chosen', 'Leave iova out: the buffer says where it is.')
  }
  const { hugepages: wanted = '2MiB' } = options
  assertChoice('hugepages', wanted, HUGEPAGE_CHOICES)
  const hugepages = wanted === 'prefer' ? '2MiB' : wanted
  const page = hugepageBytes(hugepages)
  if (size > page) {
    throw notSupported(
      `only a hugepage is one piece, and ${size} bytes are more than one of ${hugepages}`,
      "Allocate several buffers, or one with hugepages: '1GiB'.",
    )
  }
  const { align = page } = options
  if (align > page) throw invalidArgument('align', align, `no more than a hugepage, ${page} bytes, without an IOMMU`)
  const memory = makeDmaMemory(size, page, { ...options, hugepages })
  try {
    const [address = 0n] = physicalAddresses(memory.address, page)
    if (address + BigInt(page) <= BigInt(limit)) return { memory, address }
    throw new OpenbarError('ERR_IOVA_EXHAUSTED', {
      message: `The kernel gave a hugepage at ${formatIova(address)}, beyond ${formatIova(BigInt(limit) - 1n)}, the last address that devices reach here.`,
      hint: 'Without an IOMMU nobody can choose: use a device that reaches all memory, or an IOMMU.',
      context: { size: BigInt(size), ranges: [] },
    })
  } catch (error) {
    memory.revoke()
    throw error
  }
}

function notSupported(what: string, hint: string): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', { message: `Without an IOMMU ${what}.`, hint, context: { what } })
}
