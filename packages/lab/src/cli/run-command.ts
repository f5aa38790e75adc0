import { Lab } from '../lab/lab.ts'
import { LabError } from '../lab-error.ts'
import { streamProgress } from '../util/progress.ts'
import { helpTexts } from './help.ts'
import { parseMachineFlags } from './machine-flags.ts'

/** `openbar-lab run`: returns the command's exit code. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const flags = parseMachineFlags(args)
  if (flags.help) {
    process.stdout.write(helpTexts.run)
    return 0
  }
  if (flags.command.length === 0) {
    throw new LabError('ERR_LAB_OPTION', 'There is no command to run', {
      hint: 'Put it after two dashes: openbar-lab run --nic e1000e -- ls /sys/bus/pci/devices',
    })
  }
  const say = (line: string) => flags.verbose && process.stderr.write(`openbar-lab: ${line}\n`)
  const started = performance.now()
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`
  process.stdout.on('error', endWithReader)
  await using lab = await Lab.boot({ ...flags.boot, progress: streamProgress() })
  const { kernel, release, iommu, accel } = lab.description
  say(`booted in ${seconds()}: kernel ${kernel} (${release}), IOMMU ${iommu}, ${accel}`)
  for (const { address, model, id } of lab.devices) say(`${address} ${model} (${id})`)
  const { exitCode } = await lab.run(flags.command, {
    env: flags.env,
    stdout: process.stdout,
    stderr: process.stderr,
    ...(flags.timeoutMs === undefined ? {} : { timeoutMs: flags.timeoutMs }),
  })
  say(`the command ended with ${exitCode} after ${seconds()}`)
  await lab.close()
  say(`powered off after ${seconds()}`)
  return exitCode
}

/** When whoever reads the output has enough, as in `openbar-lab run ... | head`, there is no more use in running. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  // What a shell reports for SIGPIPE. Leaving kills the machine.
  process.exit(141)
}
