import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { debianRelease } from '../apt/debian-release.ts'
import { PrivateApt } from '../apt/private-apt.ts'
import { machineSite } from '../apt/site.ts'
import { LabError } from '../lab-error.ts'
import { cacheRoot } from '../util/cache.ts'
import { lockFile } from '../util/file-lock.ts'
import { inputsHash } from '../util/hash.ts'
import { type Progress, silent } from '../util/progress.ts'
import { distroRecipe, makeDistroKernel } from './distro-kernel.ts'
import { localInputs, makeIommufdKernel } from './iommufd-kernel.ts'
import type { Kernel, KernelKind } from './kernel.ts'
import { selectedKernel, selectKernel } from './kernel-store.ts'

/** How to make a kernel. */
export interface EnsureKernelOptions {
  readonly progress?: Progress
  /** Ask the mirror for a newer version even when there is a kernel that would do. Default false. */
  readonly update?: boolean
}

/**
 * Makes sure that a kernel is in the cache, and returns it. Two calls at once, in whatever processes, make it once.
 *
 * Takes under a minute for `distro` and 5 to 8 minutes on two cores for `iommufd`; nothing when it is there.
 *
 * Throws `ERR_LAB_APT` when packages cannot be had, `ERR_LAB_BUILD` when a step fails, and `ERR_LAB_UNSUPPORTED` on
 * anything but Debian 12 or newer.
 *
 * @example
 * ```ts
 * const kernel = await ensureKernel('iommufd', { progress: streamProgress() })
 * console.log(kernel.release)
 * ```
 */
export async function ensureKernel(kind: KernelKind, options: EnsureKernelOptions = {}): Promise<Kernel> {
  const progress = options.progress ?? silent
  const ready = options.update === true ? undefined : await usableKernel(kind)
  if (ready !== undefined) return ready
  const { codename, version } = debianRelease()
  const lock = await lockFile(join(cacheRoot(), 'kernels', 'lock'), () =>
    progress.note('Another set-up is at work on this cache; waiting for it to end ...'),
  )
  try {
    const meanwhile = options.update === true ? undefined : await usableKernel(kind)
    if (meanwhile !== undefined) return meanwhile
    await sweepWorkshops()
    // Debian 12's own source is 6.1, which has no IOMMUFD: its backports carry 6.12. Later releases need none.
    const suites = kind === 'iommufd' && version === 12 ? [`${codename}-backports`] : [codename]
    const apt = await PrivateApt.open(join(cacheRoot(), 'apt', suites.join('+')), await machineSite(codename), suites)
    const kernel = kind === 'distro' ? await makeDistroKernel(apt, progress) : await makeIommufdKernel(apt, progress)
    await selectKernel(selection(kind), kernel.id)
    return kernel
  } finally {
    lock.release()
  }
}

/** The kernel that a lab of this kind boots, if it is there and was made the way this version of the lab makes it. */
export function usableKernel(kind: KernelKind): Promise<Kernel | undefined> {
  return selectedKernel(selection(kind))
}

/** Like {@link usableKernel}, but an error that says how to get it when there is none. */
export async function requireKernel(kind: KernelKind): Promise<Kernel> {
  const kernel = await usableKernel(kind)
  if (kernel !== undefined) return kernel
  throw new LabError('ERR_LAB_MISSING', `The ${kind} kernel has not been made yet`, {
    hint: `Run: openbar-lab setup --kernel ${kind}`,
  })
}

/** Versions of the lab with different configurations share a cache, and each has its own kernel selected. */
function selection(kind: KernelKind): string {
  return `${kind}-${inputsHash(kind === 'distro' ? { recipe: distroRecipe } : localInputs())}`
}

/** Removes what set-ups that were killed have left. Only to be called with the lock held. */
async function sweepWorkshops(): Promise<void> {
  const kernels = join(cacheRoot(), 'kernels')
  for (const entry of await readdir(kernels)) {
    if (entry.startsWith('.making-')) await rm(join(kernels, entry), { recursive: true, force: true })
  }
}
