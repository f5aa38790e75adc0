import { isAnyArrayBuffer } from 'node:util/types'
import { invalidArgument, MappedMemory, OpenbarError } from '@openbar/linux'
import { assertSize, toPageAddress } from './iova.ts'
import type { MappableMemory } from './mapping.ts'

/**
 * Where memory stands in this process, as a number; refuses what cannot be mapped for DMA.
 *
 * @throws {@link OpenbarError} `ERR_MEMORY_KIND` for memory of the JavaScript heap, `ERR_CLOSED` for memory that was
 *   revoked, `ERR_INVALID_ARGUMENT` for what is no memory at all.
 */
export function addressOfMemory(memory: MappableMemory): number {
  // The property comes first: having read it V8 knows the object's class, and does not look for it in the prototypes.
  const held = (memory as Partial<MappedMemory> | undefined)?.revoked === false
  return held && memory instanceof MappedMemory ? memory.address : otherAddress(memory)
}

function otherAddress(memory: MappableMemory): number {
  if (memory instanceof MappedMemory) throw closedError('This memory')
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
  return toPageAddress(memory.address, 'memory.address')
}

/**
 * Refuses memory that was closed since it was mapped.
 *
 * @param what - The memory as it should read in the error.
 * @throws {@link OpenbarError} `ERR_CLOSED`.
 */
export function assertHeld(memory: MappableMemory, what: string): void {
  if (memory instanceof MappedMemory && memory.revoked) throw closedError(what)
}

function closedError(what: string): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', {
    message: `${what} was closed.`,
    hint: 'Unmap it where it is mapped, and map memory that is open.',
    context: { what: 'memory' },
  })
}
