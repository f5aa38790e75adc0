import { basename } from 'node:path'
import { type Holder, readText } from '@openbar/linux'
import { type OpenFile, openFiles, processIds } from './open-files.ts'
import { processName } from './process-name.ts'
import { BARE_DEVICE, isVfioFile } from './vfio-files.ts'

/** Which processes hold VFIO's and iommufd's files open, found in one pass over /proc. */
export interface HolderScan {
  /** The holders of each file, by its path: `/dev/vfio/12`, `/dev/vfio/devices/vfio0`, `/dev/vfio/vfio`, `/dev/iommu`. */
  readonly files: ReadonlyMap<string, readonly Holder[]>
  /** The holders of devices that were got through a group, by PCI address, where the kernel tells it: from Linux 6.18 on. */
  readonly devices: ReadonlyMap<string, readonly Holder[]>
  /** The holders of devices that were got through a group, where the kernel does not tell of which device. */
  readonly unnamedDevices: readonly Holder[]
  /**
   * How many processes could not be looked into: those of other users, and of users with more capabilities. Kernel threads,
   * which hold nothing, are not counted.
   */
  readonly unreadable: number
}

/**
 * Finds all holders of VFIO's and iommufd's files, in one pass over /proc.
 *
 * What is open is found by file descriptors: a device that only a memory mapping or a message under way keeps open is not
 * seen, nor are processes that /proc does not show, such as those outside of this one's container.
 *
 * @param proc - Where proc is mounted.
 * @param wanted - Which files to look for.
 * @see proc(5): `/proc/<pid>/fd`; Linux Documentation/filesystems/proc.rst: "VFIO Device files"
 *
 * @example
 * ```ts
 * scanHolders().files.get('/dev/vfio/12') // [{ pid: 4711, command: 'qemu-system-x86_64' }]
 * ```
 */
export function scanHolders(proc = '/proc', wanted: (path: string) => boolean = isVfioFile): HolderScan {
  const files = new Map<string, Holder[]>()
  const devices = new Map<string, Holder[]>()
  const unnamedDevices: Holder[] = []
  let unreadable = 0
  for (const pid of processIds(proc)) {
    const open = openFiles(proc, pid)
    if (open === undefined) {
      unreadable += 1
      continue
    }
    const paths = new Set(open.map(({ target }) => pathOf(target)).filter(wanted))
    const bare = open.filter(({ target }) => target === BARE_DEVICE)
    if (paths.size === 0 && bare.length === 0) continue
    const command = processName(proc, pid)
    if (command === undefined) continue
    const holder = { pid, command }
    for (const path of paths) append(files, path, holder)
    for (const address of new Set(bare.map((file) => deviceOf(proc, pid, file)))) {
      if (address === undefined) unnamedDevices.push(holder)
      else append(devices, address, holder)
    }
  }
  return { files, devices, unnamedDevices, unreadable }
}

/** The path of an open file. A device's file is deleted while the device is being unbound, which waits for its holders. */
function pathOf(target: string): string {
  const path = target.replace(/ \(deleted\)$/, '')
  return isVfioFile(path) ? path : target
}

/** Linux from 6.18 on says in `/proc/<pid>/fdinfo` where in sysfs a device stands. */
function deviceOf(proc: string, pid: number, { fd }: OpenFile): string | undefined {
  const path = /^vfio-device-syspath:\s*(\S+)$/m.exec(fdInfo(`${proc}/${pid}/fdinfo/${fd}`))?.[1]
  return path === undefined ? undefined : basename(path)
}

function fdInfo(path: string): string {
  try {
    return readText(path) ?? ''
  } catch {
    // The process has given up the rights that let this one look, or has ended.
    return ''
  }
}

function append(holders: Map<string, Holder[]>, key: string, holder: Holder): void {
  const list = holders.get(key)
  if (list === undefined) holders.set(key, [holder])
  else list.push(holder)
}
