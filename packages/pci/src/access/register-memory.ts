/**
 * Registers that are memory of this process. Tables that are bound to an access with such memory reach each register
 * through an array of its own, which costs what a raw typed array does.
 */
export interface RegisterMemory {
  readonly buffer: ArrayBuffer
  /** Where the access's offset 0 is in the buffer: a multiple of 8. */
  readonly byteOffset: number
  /** A read was all ones, which is what a device that is gone answers. Throws when it is. */
  checkPresence(): void
  /** Asks to be told, once, when the memory is taken away. The listener is held weakly. */
  whenRevoked(listener: RevocationListener): void
}

/** Who wants to know that memory is taken away. */
export interface RevocationListener {
  revoked(): void
}
