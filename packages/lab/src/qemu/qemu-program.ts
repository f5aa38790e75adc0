import { LabError } from '../lab-error.ts'
import { exec } from '../util/exec.ts'
import { findProgram } from '../util/find-program.ts'

/** The QEMU that labs run on. */
export interface QemuProgram {
  readonly path: string
  /** `7.2.22`. */
  readonly version: string
}

/**
 * Finds QEMU: `$OPENBAR_QEMU`, else `qemu-system-x86_64` on the PATH.
 *
 * Throws `ERR_LAB_MISSING` when there is none.
 */
export async function findQemu(): Promise<QemuProgram> {
  const path = process.env['OPENBAR_QEMU'] ?? findProgram('qemu-system-x86_64')
  const hint = 'As root: apt-get install -y --no-install-recommends qemu-system-x86'
  if (path === undefined) throw new LabError('ERR_LAB_MISSING', 'QEMU (qemu-system-x86_64) is not installed', { hint })
  const result = await exec(path, ['--version']).catch((cause: unknown) => {
    throw new LabError('ERR_LAB_MISSING', `${path} cannot be run`, { cause, hint })
  })
  const version = /version (\d+\.\d+\.\d+)/.exec(result.stdout)?.[1]
  if (version === undefined) throw new LabError('ERR_LAB_MISSING', `${path} is not QEMU: ${result.stdout}`, { hint })
  return { path, version }
}

/** The names of all PCI devices that a QEMU has, aliases included. */
export async function deviceModels(qemu: QemuProgram): Promise<ReadonlySet<string>> {
  return parseDeviceHelp((await exec(qemu.path, ['-machine', 'none', '-device', 'help'])).stdout)
}

/** Reads what `-device help` prints. */
export function parseDeviceHelp(text: string): ReadonlySet<string> {
  const names = new Set<string>()
  for (const [, name, alias] of text.matchAll(/^name "([^"]+)", bus (?:PCI|System)(?:, alias "([^"]+)")?/gm)) {
    names.add(name!)
    if (alias !== undefined) names.add(alias)
  }
  return names
}
