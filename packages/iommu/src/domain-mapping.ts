import { inspect } from 'node:util'
import type { DmaAccess } from './access.ts'
import type { MappingRequest } from './backend/backend.ts'
import type { DmaBuffer } from './dma-buffer.ts'
import type { MappableMemory, Mapping } from './mapping.ts'
import type { Span } from './span.ts'
import { numberToBig } from './words.ts'

/**
 * A mapping in the books of its domain. Its addresses are kept as numbers and made bigints for who asks: two bigints would be a
 * tenth of what a mapping costs.
 */
export class DomainMapping implements Mapping, Span, MappingRequest {
  // `declare` keeps the fields out of the JavaScript, where each would be written twice, and first with `undefined`: V8 would not
  // take the numbers for numbers then, and look at what they are each time.
  declare readonly start: number
  declare readonly size: number
  declare readonly access: DmaAccess
  declare readonly memory: MappableMemory
  /** Where the memory stands in this process. */
  declare readonly address: number
  /** The buffer whose memory it maps, if any. */
  declare buffer: DmaBuffer | undefined

  constructor(start: number, memory: MappableMemory, address: number, access: DmaAccess) {
    this.start = start
    this.size = memory.size
    this.access = access
    this.memory = memory
    this.address = address
    this.buffer = undefined
  }

  get end(): number {
    return this.start + this.size
  }

  get iova(): bigint {
    return numberToBig(this.start)
  }

  get last(): bigint {
    // The end of the very last page, 2^64, is no 64-bit value.
    return BigInt(this.end) - 1n
  }

  [inspect.custom](): Mapping {
    const { iova, last, size, access, memory } = this
    return { iova, last, size, access, memory }
  }
}
