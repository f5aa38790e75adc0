import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Built, this module lies in dist/ beside its chunks; in the sources it lies in src/util/. Both find the package's root.
const candidates = ['../', '../../']

/** The text of a file that is published with this package, by its path from the package's root. */
export function packageFile(path: string): string {
  for (const up of candidates) {
    try {
      return readFileSync(fileURLToPath(new URL(`${up}${path}`, import.meta.url)), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error(`${path} is missing from the installed package @openbar/lab. Install it again.`)
}
