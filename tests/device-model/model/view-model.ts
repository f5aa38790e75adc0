import type { ErrorCode } from '@openbar/linux'
import type { RegionFacts } from './facts.ts'
import { Scratch } from './scratch.ts'

/** What a device takes away when it is let go of: a window, an ioeventfd. */
export interface ViewModel {
  readonly mapped: boolean
  closed: boolean
}

/** What a window has to be like. */
export class WindowModel implements ViewModel {
  readonly index: number
  readonly facts: RegionFacts
  readonly mapped: boolean
  /** What stands in its place once it was taken away. */
  readonly after = new Scratch(0)
  closed = false
  /** Whether the caller has transferred its memory away. */
  stolen = false

  constructor(index: number, facts: RegionFacts) {
    this.index = index
    this.facts = facts
    this.mapped = facts.mapped
  }

  /** Bytes that it has mapped. */
  get bytes(): number {
    return this.mapped && !this.closed ? Math.ceil(this.facts.size / 4096) * 4096 : 0
  }

  /** The refusal of one of its methods, as far as the window decides it. */
  accessRefusal(offset: number, bytes: number): ErrorCode | undefined {
    if (this.closed || this.stolen) return 'ERR_CLOSED'
    if (!Number.isInteger(offset)) return 'ERR_INVALID_ARGUMENT'
    if (offset < 0 || offset + bytes > this.facts.size) return 'ERR_OUT_OF_BOUNDS'
    return offset % bytes === 0 ? undefined : 'ERR_MISALIGNED'
  }

  /** The refusal of its raw arrays. */
  get arrayRefusal(): ErrorCode | undefined {
    if (!this.mapped) return 'ERR_REGION'
    return this.closed ? 'ERR_CLOSED' : undefined
  }
}
