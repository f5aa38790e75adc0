import { checkMachine } from './check-machine.mjs'
import { ensureBuild } from './ensure-build.mjs'
import { ensureDependencies } from './ensure-dependencies.mjs'
import { ensureLab } from './ensure-lab.mjs'
import { useTools } from './use-tools.mjs'

/**
 * Makes everything ready that a command needs, from a fresh clone on.
 *
 * @param {{ readonly kernel?: 'distro' | 'iommufd' | 'all' }} [needs] Without a kernel, the lab is left alone.
 */
export async function prepare({ kernel } = {}) {
  checkMachine()
  await ensureDependencies()
  useTools()
  await ensureBuild()
  if (kernel !== undefined) await ensureLab(kernel)
}
