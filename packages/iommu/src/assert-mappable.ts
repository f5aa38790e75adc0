import { isAnyArrayBuffer } from 'node:util/types'
import { invalidArgument, MappedMemory, OpenbarError } from '@openbar/linux'
import { assertSize } from './iova.ts'
import type { MappableMemory } from './mapping.ts'

/**
 * Refuses what cannot be mapped for DMA.
 *
 * @param what - The memory as it should read in an error.
 * @throws {@link OpenbarError} `ERR_MEMORY_KIND` for memory of the JavaScript heap, `ERR_CLOSED` for memory that was
 *   revoked, `ERR_INVALID_ARGUMENT` for what is no memory at all.
 */
export function assertMappable(memory: MappableMemory, what?: string): void {
  if (memory instanceof MappedMemory) {
    if (memory.revoked) throw closedError(what)
    return
  }
  if (typeof memory !== 'object' || memory === null) {
    throw invalidArgument('memory', memory, 'a MappedMemory, or the address and size of pages in this process')
  }
  if (ArrayBuffer.isView(memory) || isAnyArrayBuffer(memory)) {
    throw new OpenbarError('ERR_MEMORY_KIND', {
      message:
        'Memory of the JavaScript heap cannot be mapped for DMA: it may move, and it is freed behind the device.',
      hint: 'Use domain.allocate(size), which gives typed arrays over pinned memory.',
      context: { kind: 'heap' },
    })
  }
  assertSize(memory.size, 'memory.size')
}

function closedError(what = 'This memory'): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', {
    message: `${what} was closed.`,
    hint: 'Unmap it where it is mapped, and map memory that is open.',
    context: { what: 'memory' },
  })
}
