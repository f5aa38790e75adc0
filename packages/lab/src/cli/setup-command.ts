import { parseArgs } from 'node:util'
import { ensureKernel, usableKernel } from '../kernel/ensure-kernel.ts'
import { type KernelKind, kernelKinds } from '../kernel/kernel.ts'
import { LabError } from '../lab-error.ts'
import { installPackages } from '../system/install-packages.ts'
import { missingRequirements } from '../system/requirement.ts'
import { streamProgress } from '../util/progress.ts'
import { helpTexts } from './help.ts'
import { parseChoice } from './option-values.ts'

/** `openbar-lab setup`: packages, then kernels. */
export async function setupCommand(args: readonly string[]): Promise<number> {
  const { kernel, update, help } = parse(args)
  if (help) {
    process.stdout.write(helpTexts.setup)
    return 0
  }
  const choice = parseChoice(kernel, '--kernel', ['all', ...kernelKinds])
  const kinds: readonly KernelKind[] = choice === 'all' ? kernelKinds : [choice]
  const toMake: KernelKind[] = []
  for (const kind of kinds) if (update || (await usableKernel(kind)) === undefined) toMake.push(kind)
  const progress = streamProgress()
  await installPackages(missingRequirements(toMake), progress)
  for (const kind of kinds) {
    const made = await ensureKernel(kind, { progress, update })
    progress.note(`Kernel ${kind}: ${made.release} is ready.`)
  }
  return 0
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        kernel: { type: 'string', default: 'all' },
        update: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (cause) {
    throw new LabError('ERR_LAB_OPTION', (cause as Error).message, { cause, hint: 'See: openbar-lab setup --help' })
  }
}
