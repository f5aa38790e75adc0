import { statfsSync } from 'node:fs'
import { fileError } from '../sysfs/file-error.ts'
import { readText } from '../sysfs/read-text.ts'

const TMPFS = 0x01021994
const HUGETLBFS = 0x958458f6
const NAMES: Readonly<Record<number, string>> = { [TMPFS]: 'tmpfs', [HUGETLBFS]: 'hugetlbfs' }

/** The file system that a file is on. */
export interface FileSystem {
  /** Its name, as in /proc/mounts, or its number in hexadecimal. */
  readonly name: string
  /** Whether it says that it keeps files in memory. 9p says what the file system behind it says. */
  readonly claimsMemory: boolean
  /** Bytes of a block, which are the pages of tmpfs and hugetlbfs. */
  readonly blockSize: number
}

/**
 * The file system that an open file is on.
 *
 * @see statfs(2), linux/magic.h
 */
export function fileSystemOf(fd: number, what: string): FileSystem {
  try {
    // Node has no fstatfs; the link in /proc leads to the file itself, whatever has become of its path.
    const { type, bsize } = statfsSync(`/proc/self/fd/${fd}`)
    const name = mountedAs(fd) ?? NAMES[type] ?? `0x${type.toString(16)}`
    return { name, claimsMemory: type === TMPFS || type === HUGETLBFS, blockSize: bsize }
  } catch (error) {
    throw fileError('statfs', what, error)
  }
}

/** The name of the file system in the list of mounts, which knows 9p from what it shows. A memfd's mount is not in it. */
function mountedAs(fd: number): string | undefined {
  const id = /^mnt_id:\s*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`) ?? '')?.[1]
  const mount = new RegExp(`^${id} .* - (\\S+) `, 'm').exec(readText('/proc/self/mountinfo') ?? '')
  return mount?.[1]
}
