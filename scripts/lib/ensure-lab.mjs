import { labCommand } from './lab-command.mjs'
import { mustRun } from './run.mjs'

/**
 * Sees to QEMU and the guest kernels. Says itself what it does, and what to run as root when that is needed.
 *
 * @param {'distro' | 'iommufd' | 'all'} kernel
 */
export async function ensureLab(kernel) {
  const [command, args] = labCommand(['setup', '--kernel', kernel])
  await mustRun(command, args, { output: 'stderr', failure: 'The lab is not set up: see above.' })
}
