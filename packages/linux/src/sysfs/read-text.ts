import { readFileSync } from 'node:fs'
import { Errno, errnoOf } from '../errors/errno.ts'
import { fileError } from './file-error.ts'

/**
 * Reads a small text file of sysfs or /proc, without its trailing newline.
 *
 * @returns The text, or `undefined` when the file (or the device that it belongs to) does not exist.
 * @throws {@link OpenbarError} `ERR_PERMISSION` or `ERR_SYSCALL` when it exists and cannot be read.
 *
 * @example
 * ```ts
 * readText('/sys/bus/pci/devices/0000:00:02.0/vendor') // '0x8086'
 * ```
 */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/\n$/, '')
  } catch (error) {
    const errno = errnoOf(error)
    // ENODEV, ESRCH: the file's device or process went away between the look-up and the read.
    const gone = [Errno.ENOENT, Errno.ENOTDIR, Errno.ENODEV, Errno.ESRCH] as (number | undefined)[]
    if (gone.includes(errno)) return undefined
    throw fileError('read', path, error)
  }
}
