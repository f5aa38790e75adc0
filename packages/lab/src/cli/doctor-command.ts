import { existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { debianRelease } from '../apt/debian-release.ts'
import { ensureInitramfs } from '../initramfs/initramfs.ts'
import { usableKernel } from '../kernel/ensure-kernel.ts'
import { type KernelKind, kernelKinds } from '../kernel/kernel.ts'
import { LabError } from '../lab-error.ts'
import { kvmProblem } from '../qemu/choose-accelerator.ts'
import { deviceModels, findQemu } from '../qemu/qemu-program.ts'
import { installCommand } from '../system/install-packages.ts'
import { missingRequirements } from '../system/requirement.ts'
import { cacheRoot } from '../util/cache.ts'
import { silent } from '../util/progress.ts'
import { helpTexts } from './help.ts'

interface Finding {
  readonly good: boolean
  readonly what: string
  readonly is: string
  /** How to get it; absent when it can be done without. */
  readonly fix?: string
}

const interestingModels = ['e1000', 'e1000e', 'igb', 'edu', 'nvme', 'intel-iommu', 'amd-iommu', 'virtio-iommu-pci']

// What is needed while the iommufd kernel is being built, in GiB.
const buildSpace = 3

/** `openbar-lab doctor`: 0 when everything is there, 1 when something is missing. */
export async function doctorCommand(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(helpTexts.doctor)
    return 0
  }
  const findings = [system(), ...(await qemu()), ...(await kernels()), await packages(), await kvm(), space()]
  for (const finding of findings) print(finding)
  return findings.some((finding) => !finding.good && finding.fix !== undefined) ? 1 : 0
}

function print({ good, what, is, fix }: Finding): void {
  const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  const [mark, code] = good ? ['ok', 32] : fix === undefined ? ['--', 33] : ['no', 31]
  process.stdout.write(`${colour ? `\x1b[${code}m${mark}\x1b[39m` : mark}  ${what.padEnd(18)} ${is}\n`)
  if (!good && fix !== undefined) process.stdout.write(`    ${''.padEnd(18)} -> ${fix}\n`)
}

function attempt<T>(what: string, work: () => T): T | Finding {
  try {
    return work()
  } catch (error) {
    return failure(what, error)
  }
}

function failure(what: string, error: unknown): Finding {
  if (!(error instanceof LabError)) throw error
  return { good: false, what, is: error.message, fix: error.hint ?? 'See above.' }
}

function system(): Finding {
  const release = attempt('system', () => debianRelease())
  return 'good' in release
    ? release
    : { good: true, what: 'system', is: `Debian ${release.version} (${release.codename})` }
}

async function qemu(): Promise<readonly Finding[]> {
  try {
    const found = await findQemu()
    const models = await deviceModels(found)
    const have = interestingModels.filter((model) => models.has(model))
    const lack = interestingModels.filter((model) => !models.has(model))
    return [
      { good: true, what: 'QEMU', is: `${found.version} (${found.path})` },
      { good: true, what: 'device models', is: have.join(', ') },
      ...(lack.length === 0 ? [] : [{ good: false, what: 'not in this QEMU', is: lack.join(', ') }]),
    ]
  } catch (error) {
    return [failure('QEMU', error)]
  }
}

async function kernels(): Promise<readonly Finding[]> {
  return Promise.all(
    kernelKinds.map(async (kind): Promise<Finding> => {
      const kernel = await usableKernel(kind)
      const what = `kernel ${kind}`
      if (kernel === undefined)
        return { good: false, what, is: 'not made yet', fix: `openbar-lab setup --kernel ${kind}` }
      return { good: true, what, is: `${kernel.release} (${kernel.directory})` }
    }),
  )
}

async function packages(): Promise<Finding> {
  // Tools to build a kernel are of no use once it is built.
  const toMake: KernelKind[] = []
  for (const kind of kernelKinds) if ((await usableKernel(kind)) === undefined) toMake.push(kind)
  const missing = missingRequirements(toMake)
  if (missing.length === 0) return { good: true, what: 'packages', is: 'all there' }
  const is = missing.map((each) => `${each.package} (${each.why})`).join(', ')
  return { good: false, what: 'packages', is: `missing: ${is}`, fix: `as root: ${installCommand(missing)}` }
}

async function kvm(): Promise<Finding> {
  const what = 'KVM'
  try {
    const kernel = (await usableKernel('iommufd')) ?? (await usableKernel('distro'))
    if (kernel === undefined) return { good: false, what, is: 'not tried: it takes a kernel' }
    const problem = await kvmProblem(await findQemu(), kernel, await ensureInitramfs(kernel), silent)
    if (problem === undefined) return { good: true, what, is: 'works' }
    return { good: false, what, is: `${problem}; software emulation is used instead` }
  } catch (error) {
    return failure(what, error)
  }
}

function space(): Finding {
  let directory = cacheRoot()
  while (!existsSync(directory)) directory = dirname(directory)
  const { bavail, bsize } = statfsSync(directory)
  const gib = (bavail * bsize) / 2 ** 30
  const is = `${gib.toFixed(1)} GiB free for ${cacheRoot()}`
  return {
    good: gib >= buildSpace,
    what: 'disk space',
    is,
    fix: `make room for ${buildSpace} GiB, or set OPENBAR_CACHE`,
  }
}
