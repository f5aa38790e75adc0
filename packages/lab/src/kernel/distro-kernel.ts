import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PrivateApt } from '../apt/private-apt.ts'
import type { Stanza } from '../apt/stanza.ts'
import { LabError } from '../lab-error.ts'
import { exec } from '../util/exec.ts'
import type { Progress } from '../util/progress.ts'
import type { Kernel } from './kernel.ts'
import { kernelId, kernelWorkshop, storedKernel, storeKernel } from './kernel-store.ts'
import { plainImage } from './plain-image.ts'

/** Counts up when the way of unpacking changes, so that kernels unpacked the old way are not used. */
export const distroRecipe = 2

/** The package that really holds a kernel, out of the dependencies of the one that always names the newest. */
export function realKernelPackage(depends: string): string | undefined {
  return /\blinux-image-\d[\w.+~-]*/.exec(depends)?.[0]
}

/** Debian's own kernel: its package, unpacked into the cache, not installed. */
export async function makeDistroKernel(apt: PrivateApt, progress: Progress): Promise<Kernel> {
  const meta = await apt.show('linux-image-amd64')
  const name = realKernelPackage(meta.get('Depends') ?? '')
  if (name === undefined) {
    throw new LabError('ERR_LAB_APT', `linux-image-amd64 depends on no kernel package: ${meta.get('Depends')}`)
  }
  const stanza = await apt.show(name)
  const inputs = { package: name, version: stanza.get('Version')!, sha256: stanza.get('SHA256')!, recipe: distroRecipe }
  const cached = await storedKernel(kernelId('distro', inputs))
  return cached ?? unpack(apt, stanza, inputs, progress)
}

async function unpack(apt: PrivateApt, stanza: Stanza, inputs: Kernel['inputs'], progress: Progress): Promise<Kernel> {
  const megabytes = Math.round(Number(stanza.get('Size')) / 1e6)
  progress.step(`Fetching and unpacking Debian's kernel ${stanza.get('Version')}`, `${megabytes} MB, under a minute`)
  const made = await kernelWorkshop('distro')
  try {
    const deb = await apt.download(stanza)
    const tree = join(made, 'tree')
    await mkdir(tree)
    await must('dpkg', ['-x', deb, tree])
    await rm(deb)
    // Debian 13 has /usr/lib/modules in the package, Debian 12 has /lib/modules.
    for (const lib of ['lib', 'usr/lib']) {
      const modules = join(tree, lib, 'modules')
      const release = (await readdir(modules).catch(() => []))[0]
      if (release === undefined) continue
      await mkdir(join(made, 'lib'))
      await rename(modules, join(made, 'lib', 'modules'))
      for (const [from, to] of [
        ['vmlinuz', 'image'],
        ['config', 'config'],
        ['System.map', 'System.map'],
      ] as const) {
        await rename(join(tree, 'boot', `${from}-${release}`), join(made, to))
      }
      await rm(tree, { recursive: true })
      const plain = plainImage(await readFile(join(made, 'image')), await readFile(join(made, 'config'), 'utf8'))
      if (plain !== undefined) await writeFile(join(made, 'image'), plain)
      await must('depmod', ['-b', made, release])
      const kernel = await storeKernel('distro', made, release, inputs)
      progress.done(release)
      return kernel
    }
    throw new LabError('ERR_LAB_BUILD', `The package ${stanza.get('Package')} holds no modules`)
  } finally {
    await rm(made, { recursive: true, force: true })
  }
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const result = await exec(program, args, { env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } })
  if (result.code === 0) return
  throw new LabError('ERR_LAB_BUILD', `${program} ${args.join(' ')} failed:\n${result.stderr.trim()}`)
}
