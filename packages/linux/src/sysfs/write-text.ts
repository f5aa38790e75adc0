import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { fileError } from './file-error.ts'

/**
 * Writes to an attribute of sysfs or /proc with one `write(2)`, as such files require. The file is never created.
 *
 * @throws {@link OpenbarError} `ERR_PERMISSION`, or `ERR_SYSCALL` with the errno that the attribute answered.
 *
 * @example
 * ```ts
 * writeText('/sys/bus/pci/devices/0000:00:02.0/driver_override', 'vfio-pci')
 * ```
 */
export function writeText(path: string, text: string): void {
  let fd: number
  try {
    // Without O_CREAT: where an attribute is missing, a file of that name must not come to be.
    fd = openSync(path, constants.O_WRONLY | constants.O_TRUNC)
  } catch (error) {
    throw fileError('open', path, error)
  }
  try {
    writeSync(fd, text)
  } catch (error) {
    throw fileError('write', path, error)
  } finally {
    closeSync(fd)
  }
}
