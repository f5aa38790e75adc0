import { LabError } from '../lab-error.ts'
import { exec } from '../util/exec.ts'
import type { Progress } from '../util/progress.ts'
import { shellQuote } from '../util/shell-quote.ts'
import type { Requirement } from './requirement.ts'

const install = ['apt-get', 'install', '-y', '--no-install-recommends']

/** The one command that installs what is missing, to be run as root. */
export function installCommand(missing: readonly Requirement[]): string {
  return `apt-get update && ${shellQuote([...install, ...missing.map((each) => each.package)])}`
}

/**
 * Installs missing packages with apt, as root.
 *
 * Throws `ERR_LAB_NEEDS_ROOT` with the one command to run when this is not root, `ERR_LAB_APT` when apt fails.
 */
export async function installPackages(missing: readonly Requirement[], progress: Progress): Promise<void> {
  if (missing.length === 0) return
  const names = missing.map((each) => each.package)
  if (process.getuid?.() !== 0) {
    throw new LabError('ERR_LAB_NEEDS_ROOT', `Packages are missing: ${names.join(', ')}`, {
      hint: `Run this as root, then the set-up again (nothing else needs root):\n\n    ${installCommand(missing)}\n`,
    })
  }
  progress.step(`Installing ${names.join(', ')}`, 'about a minute')
  const ticking = setInterval(() => progress.update(undefined, 'apt-get'), 1000)
  try {
    const first = await apt([...install, ...names])
    if (first.code !== 0) {
      // The machine's lists are missing or out of date: only now is fetching them worth the time.
      const update = await apt(['apt-get', 'update'])
      const second = await apt([...install, ...names])
      if (second.code !== 0) throw aptError(`${update.stderr}\n${second.stderr}`, names)
    }
  } finally {
    clearInterval(ticking)
  }
  progress.done()
}

function apt([program, ...args]: readonly string[]) {
  // A machine that is installing something else by itself will be done soon.
  const patient = ['-q', '-o', 'DPkg::Lock::Timeout=120']
  return exec(program!, [...patient, ...args], { env: { DEBIAN_FRONTEND: 'noninteractive' } })
}

function aptError(stderr: string, names: readonly string[]): LabError {
  const reason = stderr.trim().split('\n').slice(-8).join('\n')
  return new LabError('ERR_LAB_APT', `apt could not install ${names.join(', ')}:\n${reason}`, {
    hint: 'Check that `apt-get update` works on this machine, then run the set-up again.',
  })
}
