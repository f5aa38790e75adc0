import { existsSync } from 'node:fs'

// The package has gone over from the first name to the second.
const names = ['debian-archive-keyring.gpg', 'debian-archive-keyring.pgp']

/** The keys that Debian's archive is signed with, or undefined when the package debian-archive-keyring is missing. */
export function archiveKeyring(): string | undefined {
  return names.map((name) => `/usr/share/keyrings/${name}`).find((path) => existsSync(path))
}
