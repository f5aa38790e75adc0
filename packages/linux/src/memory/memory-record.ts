import { leavePagesAtThreadEnd } from '../ffi/thread-end.ts'
import { fixedMemory } from './fixed-memory.ts'

/** `struct { u32 revoked; u32 magic; u64 address; u64 size }`. */
export const RECORD_BYTES = 24
const MAGIC = 0x6f62_6d72

/** Records that nobody outside this thread knows of, to be used again. */
const free: Uint8Array[] = []
const places = new Map<Uint8Array, number>()

/**
 * What is known of mapped memory outside the JavaScript heap: to other threads, and to this one's end. It stays where it is for the
 * life of the process, once another thread knows of it.
 */
export class MemoryRecord {
  /** Where it stands. */
  readonly place: number
  readonly #bytes: Uint8Array
  readonly #revoked: Int32Array
  readonly #stay: (() => void) | undefined
  #known = false

  /** @param address - Of the pages, which are this thread's. */
  constructor(address: number, size: number) {
    this.#bytes = free.pop() ?? newRecord()
    this.place = places.get(this.#bytes)!
    const { buffer, byteOffset } = this.#bytes
    new Uint32Array(buffer, byteOffset, 2).set([0, MAGIC])
    new BigUint64Array(buffer, byteOffset + 8, 2).set([BigInt(address), BigInt(size)])
    this.#revoked = new Int32Array(buffer, byteOffset, 1)
    this.#stay = leavePagesAtThreadEnd(this.place)
  }

  /** From now on another thread may know its place. */
  share(): void {
    this.#known = true
  }

  /** Says that the pages are about to go. */
  revoke(): void {
    Atomics.store(this.#revoked, 0, 1)
  }

  /** The pages are gone. */
  release(): void {
    this.#stay?.()
    if (!this.#known) free.push(this.#bytes)
  }
}

/** Whether the bytes at a place that another thread has named are the record of these pages. */
export function isRecordOf(bytes: Uint8Array, address: number, size: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_BYTES)
  return (
    view.getUint32(4, true) === MAGIC &&
    view.getBigUint64(8, true) === BigInt(address) &&
    view.getBigUint64(16, true) === BigInt(size)
  )
}

function newRecord(): Uint8Array {
  const { bytes, address } = fixedMemory(RECORD_BYTES)
  places.set(bytes, address)
  return bytes
}
