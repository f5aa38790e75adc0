import { realpathSync } from 'node:fs'
import { LabError } from '../lab-error.ts'

// The guest has its own of these; what the host has there cannot be seen.
const own = ['/proc', '/sys', '/dev', '/run']

/**
 * Checks that a directory of the host is in the guest too, where it has the same path.
 *
 * Throws `ERR_LAB_OPTION` for one that the guest cannot see.
 */
export function sharedDirectory(path: string): string {
  const real = realpathSync(path)
  const hidden = own.find((root) => real === root || real.startsWith(`${root}/`))
  if (hidden === undefined) return real
  throw new LabError('ERR_LAB_OPTION', `The guest cannot see ${real}: it has a ${hidden} of its own`, {
    hint: 'Run from a directory elsewhere: anywhere but under /proc, /sys, /dev and /run.',
  })
}
