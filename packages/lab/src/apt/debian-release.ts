import { readFileSync } from 'node:fs'
import { LabError } from '../lab-error.ts'

/** Which Debian this machine runs. */
export interface DebianRelease {
  /** `bookworm`, `trixie`, … */
  readonly codename: string
  /** 12, 13, … */
  readonly version: number
}

/** Reads the fields of an os-release file. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([A-Z_0-9]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line)
    if (match !== null) fields.set(match[1]!, match[2] ?? match[3] ?? match[4] ?? '')
  }
  return fields
}

/**
 * This machine's Debian release.
 *
 * Throws `ERR_LAB_UNSUPPORTED` on anything else: kernels come from Debian's packages.
 */
export function debianRelease(path = '/etc/os-release'): DebianRelease {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // Judged below, like any other system that is not Debian.
  }
  const fields = parseOsRelease(text)
  const version = Number.parseInt(fields.get('VERSION_ID') ?? '', 10)
  const codename = fields.get('VERSION_CODENAME')
  if (fields.get('ID') !== 'debian' || codename === undefined || !(version >= 12)) {
    throw new LabError(
      'ERR_LAB_UNSUPPORTED',
      `This system is ${fields.get('PRETTY_NAME') ?? 'unknown'}, not Debian 12 or newer`,
      {
        hint: 'Guest kernels come from Debian packages: run the lab on Debian 12 or 13, in a container for example.',
      },
    )
  }
  return { codename, version }
}
