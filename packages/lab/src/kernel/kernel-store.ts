import { existsSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheRoot } from '../util/cache.ts'
import { fileSha256, inputsHash } from '../util/hash.ts'
import type { Kernel, KernelKind } from './kernel.ts'

interface Manifest {
  readonly kind: KernelKind
  readonly release: string
  readonly inputs: Readonly<Record<string, string | number>>
  readonly imageSha256: string
}

const directory = () => join(cacheRoot(), 'kernels')

/** The name that a kernel with these inputs has in the cache. */
export function kernelId(kind: KernelKind, inputs: Kernel['inputs']): string {
  return `${kind}-${inputsHash(inputs)}`
}

/** The kernel that was selected last under a name, or undefined when there is none, or when it is damaged. */
export async function selectedKernel(name: string): Promise<Kernel | undefined> {
  try {
    return await storedKernel((await readFile(join(directory(), `${name}.current`), 'utf8')).trim())
  } catch {
    return undefined
  }
}

/** A kernel by its name in the cache, if it is there and its image is what was put there. */
export async function storedKernel(id: string): Promise<Kernel | undefined> {
  const home = join(directory(), id)
  if (!existsSync(join(home, 'manifest.json'))) return undefined
  const manifest = JSON.parse(readFileSync(join(home, 'manifest.json'), 'utf8')) as Manifest
  const image = join(home, 'image')
  if ((await fileSha256(image)) !== manifest.imageSha256) return undefined
  const { kind, release, inputs } = manifest
  return { kind, id, release, image, directory: home, inputs }
}

/** A new directory beside the finished kernels, on the same file system, so that a finished one is moved by one rename. */
export async function kernelWorkshop(kind: KernelKind): Promise<string> {
  await mkdir(directory(), { recursive: true })
  return mkdtemp(join(directory(), `.making-${kind}-`))
}

/**
 * Puts a finished kernel into the cache: all of it or, if anything fails before the last step, none of it.
 *
 * @param made Holds `image`, `config`, `System.map` and `lib/modules/<release>`.
 */
export async function storeKernel(
  kind: KernelKind,
  made: string,
  release: string,
  inputs: Kernel['inputs'],
): Promise<Kernel> {
  const id = kernelId(kind, inputs)
  const manifest: Manifest = { kind, release, inputs, imageSha256: await fileSha256(join(made, 'image')) }
  await writeFile(join(made, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  // Made in a directory for one user only.
  await chmod(made, 0o755)
  await rm(join(directory(), id), { recursive: true, force: true })
  await rename(made, join(directory(), id))
  return (await storedKernel(id))!
}

/** Makes a stored kernel the one that is meant by a name. */
export async function selectKernel(name: string, id: string): Promise<void> {
  const pointer = join(directory(), `${name}.current`)
  await writeFile(`${pointer}.new`, `${id}\n`)
  await rename(`${pointer}.new`, pointer)
}
