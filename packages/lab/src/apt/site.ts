import { LabError } from '../lab-error.ts'
import { exec } from '../util/exec.ts'

/** What apt is asked to print of each index that the machine's sources name, one per line. */
export const indexFormat = '$(SITE)\t$(RELEASE)\t$(COMPONENT)'

/**
 * The address of the Debian mirror that this machine uses, from apt's own list of indexes: the one that serves the
 * component `main` of the machine's suite. Third parties' repositories and the security archive do not.
 *
 * @param listing What `apt-get indextargets` printed, in {@link indexFormat}.
 * @param codename The machine's suite, such as `bookworm`.
 */
export function siteOf(listing: string, codename: string): string | undefined {
  const indexes = listing.split('\n').map((line) => line.split('\t'))
  // A machine may name its suite by codename or, less precisely, as a class; the first is the better witness.
  for (const suite of [codename, 'stable', 'oldstable', 'testing']) {
    const found = indexes.find(([, release, component]) => release === suite && component === 'main')
    if (found?.[0] !== undefined && found[0] !== '') return found[0]
  }
  return undefined
}

/** Asks apt for the mirror that this machine is configured with. Works before any `apt-get update`. */
export async function machineSite(codename: string): Promise<string> {
  // Without --no-release-info apt lists only what has been downloaded.
  const result = await exec('apt-get', [
    'indextargets',
    '--no-release-info',
    '--format',
    indexFormat,
    'Identifier: Packages',
  ])
  const site = siteOf(result.stdout, codename)
  if (site === undefined) {
    throw new LabError('ERR_LAB_APT', `apt has no source for Debian ${codename}, component main`, {
      hint: `Add one to /etc/apt/sources.list.d, then look at: apt-get indextargets --no-release-info`,
    })
  }
  return site
}
