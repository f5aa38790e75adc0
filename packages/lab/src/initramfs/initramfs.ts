import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kernel } from '../kernel/kernel.ts'
import { moduleName, moduleOrder, parseModulesDep } from '../kernel/module-order.ts'
import { LabError } from '../lab-error.ts'
import { cacheRoot } from '../util/cache.ts'
import { inputsHash } from '../util/hash.ts'
import { packageFile } from '../util/package-file.ts'
import { type CpioEntry, cpioArchive } from './cpio.ts'
import { staticBusybox } from './static-busybox.ts'

// What the guest needs before it sees the host's files, and VFIO, which loads faster from here than with modprobe over 9p.
// A kernel that has one built in has no file for it.
const bootModules = [
  ...['virtio_pci', 'virtio_console', 'virtio_iommu', '9pnet_virtio', '9p', 'overlay'],
  ...['vfio_iommu_type1', 'vfio-pci'],
]

/** Makes the initramfs for a kernel, or finds it in the cache. Returns its path. */
export async function ensureInitramfs(kernel: Kernel): Promise<string> {
  const busyboxPath = staticBusybox()
  if (busyboxPath === undefined) {
    throw new LabError('ERR_LAB_MISSING', 'There is no statically linked busybox', {
      hint: 'As root: apt-get install -y --no-install-recommends busybox-static',
    })
  }
  const busybox = readFileSync(busyboxPath)
  const init = packageFile('guest/init.sh')
  const agent = packageFile('guest/agent.sh')
  const id = inputsHash({
    busybox: inputsHash({ bytes: busybox.toString('base64') }),
    init,
    agent,
    kernel: kernel.id,
    format: 1,
  })
  const path = join(cacheRoot(), 'initramfs', `${id}.cpio`)
  if (existsSync(path)) return path
  const modules = kernelModules(kernel)
  const archive = cpioArchive([
    ...['bin', 'dev', 'proc', 'sys', 'host', 'lab', 'root', 'upper', 'modules'].map(directory),
    { path: 'dev/console', mode: 0o020600, device: [5, 1] },
    { path: 'bin/busybox', mode: 0o100755, data: busybox },
    { path: 'bin/sh', mode: 0o120777, data: Buffer.from('busybox') },
    { path: 'init', mode: 0o100755, data: Buffer.from(init) },
    { path: 'agent', mode: 0o100755, data: Buffer.from(agent) },
    ...modules.map(({ name, data }) => ({ path: `modules/${name}.ko`, mode: 0o100644, data })),
    { path: 'modules/order', mode: 0o100644, data: Buffer.from(modules.map(({ name }) => `${name}\n`).join('')) },
  ])
  await mkdir(join(cacheRoot(), 'initramfs'), { recursive: true })
  // Two labs may make it at once: each writes its own file, and the last rename wins with the same content.
  const own = `${path}.${process.pid}`
  await writeFile(own, archive)
  await rename(own, path)
  return path
}

function directory(path: string): CpioEntry {
  return { path, mode: 0o040755 }
}

function kernelModules(kernel: Kernel): readonly { readonly name: string; readonly data: Buffer }[] {
  const home = join(kernel.directory, 'lib/modules', kernel.release)
  const order = moduleOrder(parseModulesDep(readFileSync(join(home, 'modules.dep'), 'utf8')), bootModules)
  return order.map((path) => ({ name: moduleName(path), data: readModule(join(home, path)) }))
}

/** A module's bytes, uncompressed: the kernel may not be able to do that itself. */
function readModule(path: string): Buffer {
  if (path.endsWith('.ko')) return readFileSync(path)
  const applet = path.endsWith('.xz') ? 'xzcat' : path.endsWith('.gz') ? 'zcat' : undefined
  if (applet === undefined) throw new LabError('ERR_LAB_UNSUPPORTED', `The compression of ${path} is not supported`)
  return execFileSync(staticBusybox()!, [applet, path], { maxBuffer: 64 << 20 })
}
