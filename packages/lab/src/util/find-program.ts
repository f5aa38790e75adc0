import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

// An ordinary user's PATH on Debian lacks the two sbin directories, where depmod and others live.
const alsoSearched = ['/usr/sbin', '/sbin', '/usr/bin', '/bin']

/** The full path of a program, or undefined when the machine has none of that name. */
export function findProgram(name: string): string | undefined {
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), ...alsoSearched]) {
    if (directory === '') continue
    const path = join(directory, name)
    try {
      accessSync(path, constants.X_OK)
      if (statSync(path).isFile()) return path
    } catch {
      // Not here: the next directory may have it.
    }
  }
  return undefined
}
