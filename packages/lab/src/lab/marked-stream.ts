/**
 * A byte stream in which a marker ends what belongs to one command. Bytes that may be the beginning of the marker are held
 * back until it is clear that they are not.
 */
export class MarkedStream {
  readonly #marker: Buffer
  readonly #onData: (bytes: Buffer) => void
  readonly #onEnd: () => void
  #held: Buffer = Buffer.alloc(0)
  #ended = false

  constructor(marker: string, onData: (bytes: Buffer) => void, onEnd: () => void) {
    this.#marker = Buffer.from(marker)
    this.#onData = onData
    this.#onEnd = onEnd
  }

  /** What comes after the marker belongs to nobody and is dropped. */
  push(chunk: Buffer): void {
    if (this.#ended) return
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const at = bytes.indexOf(this.#marker)
    if (at >= 0) {
      this.#ended = true
      this.#held = Buffer.alloc(0)
      if (at > 0) this.#onData(bytes.subarray(0, at))
      this.#onEnd()
      return
    }
    const keep = this.#possibleStart(bytes)
    this.#held = Buffer.from(bytes.subarray(bytes.length - keep))
    if (bytes.length > keep) this.#onData(bytes.subarray(0, bytes.length - keep))
  }

  /** What was held back, when the stream ends without its marker. */
  flush(): void {
    if (!this.#ended && this.#held.length > 0) this.#onData(this.#held)
    this.#ended = true
    this.#held = Buffer.alloc(0)
  }

  /** How many bytes at the end could be the beginning of the marker. */
  #possibleStart(bytes: Buffer): number {
    for (let length = Math.min(bytes.length, this.#marker.length - 1); length > 0; length--) {
      if (bytes.subarray(bytes.length - length).equals(this.#marker.subarray(0, length))) return length
    }
    return 0
  }
}
