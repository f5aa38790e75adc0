import { readdirSync } from 'node:fs'
import { Errno, errnoOf } from '../errors/errno.ts'
import { fileError } from './file-error.ts'

/**
 * The names in a directory of sysfs or /proc, sorted; none when there is no such directory.
 *
 * @throws {@link OpenbarError} `ERR_PERMISSION` or `ERR_SYSCALL` when it exists and cannot be read.
 *
 * @example
 * ```ts
 * listDirectory('/sys/kernel/iommu_groups/1/devices') // ['0000:00:02.0']
 * ```
 */
export function listDirectory(path: string): string[] {
  try {
    return readdirSync(path).sort()
  } catch (error) {
    const errno = errnoOf(error)
    // ESRCH: the process whose /proc directory this is has ended.
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR || errno === Errno.ESRCH) return []
    throw fileError('readdir', path, error)
  }
}
