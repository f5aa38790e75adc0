import { parseArgs } from 'node:util'
import { labCommand } from './lib/lab-command.mjs'
import { prepare } from './lib/prepare.mjs'
import { run } from './lib/run.mjs'
import { say } from './lib/say.mjs'
import { runMain, Stop } from './lib/stop.mjs'

const help = `Pings the network through a TypeScript e1000 driver on real VFIO, in a guest with an emulated IOMMU.

  npm run demo                        with packets, round-trip times, statistics and mappings to read
  npm run --silent demo -- --json     one JSON line per event, and nothing else on stdout

Options, after the two dashes:
  --json                  events as JSON lines
  --iommu <kind>          intel (default), amd, virtio or none
  --kernel <kind>         distro (default, but not for virtio): the distribution's own, with VFIO's type1 containers;
                          iommufd: built from the distribution's source package, 5 to 8 minutes the first time
  --kernel-driver         load the kernel's own e1000 and e1000e drivers first: the demo takes the NICs from them and gives
                          them back
  --help`

const choices = { iommu: ['intel', 'amd', 'virtio', 'none'], kernel: ['distro', 'iommufd'] }

await runMain(async () => {
  const options = readOptions()
  if (options.help) {
    console.log(help)
    return 0
  }
  await prepare({ kernel: options.kernel })
  say('Booting the lab: about 5 seconds ...')
  const machine = ['--kernel', options.kernel, '--iommu', options.iommu, '--nic', 'e1000', '--nic', 'e1000e']
  const drivers = options['kernel-driver'] ? ['--module', 'e1000', '--module', 'e1000e'] : []
  const program = ['node', 'examples/ping.ts', ...(options.json ? ['--json'] : [])]
  const [command, args] = labCommand(['run', ...machine, ...drivers, '--', ...program])
  return (await run(command, args)).code
})

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        iommu: { type: 'string', default: 'intel' },
        kernel: { type: 'string' },
        'kernel-driver': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    // Debian 12's kernel has no driver for a virtio IOMMU.
    values.kernel ??= values.iommu === 'virtio' ? 'iommufd' : 'distro'
    for (const [name, allowed] of Object.entries(choices)) {
      const value = values[/** @type {'iommu' | 'kernel'} */ (name)]
      if (value === undefined || !allowed.includes(value))
        throw new Error(`--${name} is ${allowed.join(', ')}, not ${value}`)
    }
    return { ...values, kernel: /** @type {'distro' | 'iommufd'} */ (values.kernel) }
  } catch (error) {
    throw new Stop(2, `${/** @type {Error} */ (error).message}\n\n${help}`)
  }
}
