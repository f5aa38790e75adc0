import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Gives some work a directory of its own, and removes it afterwards however the work ends.
 *
 * @template T
 * @param {string} purpose Becomes part of the directory's name.
 * @param {(directory: string) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withTemporaryDirectory(purpose, work) {
  const directory = mkdtempSync(join(tmpdir(), `openbar-${purpose}-`))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
