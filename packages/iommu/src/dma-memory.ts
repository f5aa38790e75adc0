import { type HugepageSize, hugepageBytes, invalidArgument, isOpenbarError, MappedMemory } from '@openbar/linux'
import { assertChoice } from './assert-choice.ts'
import type { AllocateOptions } from './domain-options.ts'

/** What `hugepages` can be. */
export const HUGEPAGE_CHOICES = ['2MiB', '1GiB', 'prefer'] as const

type MemoryOptions = Pick<AllocateOptions, 'hugepages' | 'shared'>

/**
 * Makes the memory of a DMA buffer.
 *
 * @param size - Bytes; rounded up to whole pages.
 * @param unit - Bytes that the size is a multiple of at least.
 */
export function makeDmaMemory(size: number, unit: number, { hugepages, shared = false }: MemoryOptions): MappedMemory {
  if (hugepages !== undefined) assertChoice('hugepages', hugepages, HUGEPAGE_CHOICES)
  if (typeof shared !== 'boolean') throw invalidArgument('shared', shared, 'true or false')
  if (hugepages === undefined) return make(size, unit, shared)
  if (hugepages !== 'prefer') return make(size, unit, shared, hugepages)
  try {
    return make(size, unit, shared, '2MiB')
  } catch (error) {
    if (!isOpenbarError(error, 'ERR_NO_HUGEPAGES')) throw error
    return make(size, unit, shared)
  }
}

function make(size: number, unit: number, shared: boolean, hugepages?: HugepageSize): MappedMemory {
  const page = Math.max(unit, hugepages === undefined ? 0 : hugepageBytes(hugepages))
  const bytes = Math.ceil(size / page) * page
  const options = hugepages === undefined ? {} : { hugepages }
  return shared ? MappedMemory.memfd(bytes, options) : MappedMemory.anonymous(bytes, options)
}
