import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { PrivateApt } from '../apt/private-apt.ts'
import type { Stanza } from '../apt/stanza.ts'
import { LabError } from '../lab-error.ts'
import { exec } from '../util/exec.ts'
import { inputsHash } from '../util/hash.ts'
import type { Progress } from '../util/progress.ts'
import { buildProgress } from './build-progress.ts'
import { kernelFragment, missingSettings } from './fragment.ts'
import type { Kernel } from './kernel.ts'
import { kernelId, kernelWorkshop, storedKernel, storeKernel } from './kernel-store.ts'

/** Counts up when the way of building changes, so that kernels built the old way are not used. */
export const recipe = 1

// Half of the unpacked tree, and no part of a build for x86.
const notUnpacked = ['*/Documentation/*/*', '*/arch/*/boot/dts/*', '*/drivers/gpu/drm/amd/include/*']

/** The inputs that are known without asking a mirror. A cached kernel whose inputs differ here is out of date. */
export function localInputs() {
  return { fragment: inputsHash({ text: kernelFragment() }), recipe }
}

/** The newest kernel source package: `linux-source-6.12` before `linux-source-6.1`. */
export function newestSource(
  names: readonly string[],
): { readonly name: string; readonly version: number[] } | undefined {
  return names
    .flatMap((name) => {
      const match = /^linux-source-(\d+)\.(\d+)$/.exec(name)
      return match === null ? [] : [{ name, version: [Number(match[1]), Number(match[2])] }]
    })
    .sort((a, b) => b.version[0]! - a.version[0]! || b.version[1]! - a.version[1]!)[0]
}

/** A kernel with IOMMUFD and VFIO character devices, built from Debian's source package. */
export async function makeIommufdKernel(apt: PrivateApt, progress: Progress): Promise<Kernel> {
  const source = newestSource(await apt.names('^linux-source-[0-9.]+$'))
  if (source === undefined || source.version[0]! * 1000 + source.version[1]! < 6012) {
    throw new LabError(
      'ERR_LAB_APT',
      `The newest kernel source that apt has is ${source?.name ?? 'none'}; 6.12 is needed`,
      {
        hint: 'On Debian 12 it is in the suite bookworm-backports: check that the mirror carries it.',
      },
    )
  }
  const stanza = await apt.show(source.name)
  const compiler = (await must('gcc', ['-dumpfullversion', '-dumpversion'])).trim()
  const inputs = { source: stanza.get('Version')!, sha256: stanza.get('SHA256')!, compiler, ...localInputs() }
  const cached = await storedKernel(kernelId('iommufd', inputs))
  if (cached !== undefined) return cached
  const made = await kernelWorkshop('iommufd')
  try {
    const tree = await fetchSource(apt, stanza, made, progress)
    await configure(tree)
    await compile(tree, progress)
    const release = (await must('make', ['-s', 'kernelrelease'], tree)).trim()
    await must('make', ['-s', 'modules_install', `INSTALL_MOD_PATH=${made}`, 'INSTALL_MOD_STRIP=1'], tree)
    for (const link of ['build', 'source']) await rm(join(made, 'lib/modules', release, link), { force: true })
    await copyFile(join(tree, 'arch/x86/boot/bzImage'), join(made, 'image'))
    await copyFile(join(tree, '.config'), join(made, 'config'))
    await copyFile(join(tree, 'System.map'), join(made, 'System.map'))
    await rm(tree, { recursive: true })
    return await storeKernel('iommufd', made, release, inputs)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

async function fetchSource(apt: PrivateApt, stanza: Stanza, made: string, progress: Progress): Promise<string> {
  const megabytes = Math.round(Number(stanza.get('Size')) / 1e6)
  progress.step(`Fetching the kernel source ${stanza.get('Version')}`, `${megabytes} MB, under a minute on a fast line`)
  const deb = await apt.download(stanza)
  progress.done()
  progress.step('Unpacking it', 'about 1.1 GB until the kernel is built, half a minute')
  const tree = join(made, 'source')
  await mkdir(tree)
  const ticking = setInterval(() => progress.update(undefined), 1000)
  try {
    const script = `dpkg-deb --fsys-tarfile "$0" | tar -x --to-stdout --wildcards '*/linux-source-*.tar.xz' |
      tar -x -J -C "$1" --strip-components=1 --no-same-owner ${notUnpacked.map((glob) => `--exclude='${glob}'`).join(' ')}`
    await must('bash', ['-o', 'pipefail', '-c', script, deb, tree])
  } finally {
    clearInterval(ticking)
  }
  await rm(deb)
  progress.done()
  return tree
}

async function configure(tree: string): Promise<void> {
  const fragment = kernelFragment()
  await writeFile(join(tree, 'kernel/configs/openbar.config'), fragment)
  await must('make', ['-s', 'tinyconfig', 'openbar.config'], tree)
  await must('make', ['-s', 'olddefconfig'], tree)
  const missing = missingSettings(fragment, await must('cat', ['.config'], tree))
  if (missing.length === 0) return
  throw new LabError('ERR_LAB_BUILD', `The kernel's configuration dropped ${missing.join(', ')}`, {
    hint: 'A dependency is missing or an option was renamed in this version: correct kernel/iommufd.config in @openbar/lab.',
  })
}

async function compile(tree: string, progress: Progress): Promise<void> {
  const jobs = availableParallelism()
  progress.step(`Compiling the kernel with ${jobs} jobs`, '5 to 8 minutes on two cores, once')
  const read = buildProgress()
  let last: ReturnType<typeof read>
  // A large file can take a while: the clock goes on even when no line comes.
  const ticking = setInterval(() => progress.update(last?.fraction ?? 0, last?.file), 1000)
  try {
    await must('make', [`-j${jobs + 1}`, 'bzImage', 'modules'], tree, (line) => {
      last = read(line) ?? last
    })
  } finally {
    clearInterval(ticking)
  }
  progress.done()
}

async function must(program: string, args: readonly string[], cwd?: string, onLine?: (line: string) => void) {
  const result = await exec(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(onLine === undefined ? {} : { onLine }),
    // Who built it, and where, does not belong in a cached kernel.
    env: { KBUILD_BUILD_USER: 'lab', KBUILD_BUILD_HOST: 'openbar', PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  }).catch((cause: unknown) => {
    throw new LabError('ERR_LAB_MISSING', `${program} could not be started`, { cause, hint: 'Run: openbar-lab doctor' })
  })
  if (result.code === 0) return result.stdout
  const reason = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-15).join('\n')
  throw new LabError('ERR_LAB_BUILD', `${program} ${args.join(' ')} failed with code ${result.code}:\n${reason}`, {
    hint: 'Check the free space in the cache directory with: openbar-lab doctor',
  })
}
