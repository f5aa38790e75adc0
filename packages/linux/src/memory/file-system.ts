import { statfsSync } from 'node:fs'
import { fileError } from '../sysfs/file-error.ts'

const NAMES: Readonly<Record<number, string>> = {
  16914836: 'tmpfs',
  2508478710: 'hugetlbfs',
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
  16914839: '9p',
  26985: 'nfs',
  801189825: 'zfs',
  1702057286: 'fuse',
  19780: 'vfat',
  2240043254: 'ramfs',
  40864: 'proc',
  1650812274: 'sysfs',
  1397048141: 'secretmem',
}

/** The file system that a file is on. */
export interface FileSystem {
  /** Its name, or its number in hexadecimal. ext2 and ext3 cannot be told from ext4. */
  readonly name: string
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
    return { name: NAMES[type] ?? `0x${type.toString(16)}`, blockSize: bsize }
  } catch (error) {
    throw fileError('statfs', what, error)
  }
}
