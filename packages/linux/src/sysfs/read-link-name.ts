import { readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { Errno, errnoOf } from '../errors/errno.ts'
import { fileError } from './file-error.ts'

/**
 * The last part of what a symbolic link of sysfs or /proc points to: a driver's or a group's name.
 *
 * @returns The name, or `undefined` when there is no such link.
 * @throws {@link OpenbarError} `ERR_PERMISSION` or `ERR_SYSCALL` when it exists and cannot be read.
 *
 * @example
 * ```ts
 * readLinkName('/sys/bus/pci/devices/0000:00:02.0/driver') // 'e1000e'
 * ```
 */
export function readLinkName(path: string): string | undefined {
  try {
    return basename(readlinkSync(path))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR || errno === Errno.EINVAL) return undefined
    throw fileError('readlink', path, error)
  }
}
