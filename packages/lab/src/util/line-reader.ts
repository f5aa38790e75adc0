/** Cuts a byte stream into lines of text, whatever the sizes of its chunks. */
export class LineReader {
  #rest: Buffer[] = []
  readonly #onLine: (line: string) => void

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      // Joined before it is decoded: a character may be split across chunks.
      const line = Buffer.concat([...this.#rest, chunk.subarray(from, end)]).toString('utf8')
      this.#rest = []
      from = end + 1
      if (line.trim() !== '') this.#onLine(line.trim())
    }
    if (from < chunk.length) this.#rest.push(Buffer.from(chunk.subarray(from)))
  }
}
