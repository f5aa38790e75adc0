import type { MappableMemory } from '../mapping.ts'

/** Memory that another process has mapped in a domain before it handed it over. Where it stands is not known. */
export class ForeignMemory implements MappableMemory {
  readonly address = 0
  readonly size: number

  constructor(size: number) {
    this.size = size
  }
}
