import { MappedMemory, OpenbarError, pinProblem } from '@openbar/linux'
import { type DmaAccess, deviceWrites } from './access.ts'
import type { MappableMemory } from './mapping.ts'
import { addressOfMemory } from './memory-address.ts'
import { PAGE } from './span.ts'

/**
 * Refuses memory that the kernel could not pin, for a domain without devices: no backend pins anything there, so that the kernel
 * would take any address at all, and refuse the first device for it.
 *
 * What is no memory, or no whole pages, is left to the checks that every mapping goes through.
 *
 * @throws {@link OpenbarError} `ERR_MEMORY_KIND`, as with a device; and as {@link addressOfMemory}.
 */
export function assertPinnable(memory: MappableMemory, access: DmaAccess): void {
  const address = addressOfMemory(memory)
  const { size } = memory
  if (memory instanceof MappedMemory || address % PAGE !== 0 || size % PAGE !== 0) return
  const problem = pinProblem(address, size, deviceWrites(access))
  if (problem === undefined) return
  throw new OpenbarError('ERR_MEMORY_KIND', {
    message: `${size} bytes at address 0x${address.toString(16)} cannot be mapped: ${problem}.`,
    hint: 'Use memory from allocate(), or anonymous memory, memfd or tmpfs that is mapped readable and writable.',
    context: { kind: 'unpinnable' },
  })
}
