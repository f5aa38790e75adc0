import type { DmaAccess, Domain, Mapping } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'

export const PAGE = 4096
/** What memory holds that a device must not write. */
export const CANARY = 0xc5

/** Whether nothing was written. */
export const isCanary = (bytes: Uint8Array) => bytes.every((byte) => byte === CANARY)

/** Pages of memory that stand in a row in this program, and that tests map one by one, in any order. */
export class Pages implements Disposable {
  /** All bytes of all pages: canaries at first. */
  readonly bytes: Uint8Array
  readonly #memory: MappedMemory

  constructor(count: number) {
    this.#memory = MappedMemory.anonymous(count * PAGE)
    this.bytes = new Uint8Array(this.#memory.buffer).fill(CANARY)
  }

  page(index: number): Uint8Array {
    return this.bytes.subarray(index * PAGE, (index + 1) * PAGE)
  }

  map(domain: Domain, index: number, iova: bigint, access: DmaAccess = 'read-write'): Mapping {
    const address = this.#memory.address + index * PAGE
    return domain.map({ address, size: PAGE }, { iova, access })
  }

  [Symbol.dispose](): void {
    this.#memory.revoke()
  }
}

/** Maps a memfd's pages once more. */
export function mapAgain({ fd }: MappedMemory): MappedMemory {
  if (fd === undefined) throw new Error('The memory is no memfd.')
  return MappedMemory.fromMemoryFd(fd)
}
