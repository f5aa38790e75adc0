import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'

/** A short name for a set of inputs: the same for the same inputs in the same order, whatever the machine. */
export function inputsHash(inputs: Readonly<Record<string, string | number>>): string {
  return createHash('sha256')
    .update(JSON.stringify(Object.entries(inputs)))
    .digest('hex')
    .slice(0, 16)
}

/** The SHA-256 of a file, in hexadecimal. */
export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
