/** Keeps the end of what a guest's console prints. */
export class ConsoleTail {
  #text = ''
  readonly #limit: number

  /** @param limit Characters kept, at least. Default 64 Ki. */
  constructor(limit = 65_536) {
    this.#limit = limit
  }

  push(chunk: Buffer): void {
    this.#text += chunk.toString('latin1')
    if (this.#text.length > 2 * this.#limit) this.#text = this.#text.slice(-this.#limit)
  }

  /** The last lines, without control sequences. */
  tail(lines = 40): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the firmware and shells print them.
    const plain = this.#text.replace(/\x1b(\[[0-9;?]*[A-Za-z]|c)/g, '').replaceAll('\r', '')
    return plain.trim().split('\n').slice(-lines).join('\n')
  }

  /** Whether the kernel has given up, and what it said. */
  get panic(): string | undefined {
    return /Kernel panic - not syncing: ?(.*)/.exec(this.#text)?.[1]?.trim()
  }
}
