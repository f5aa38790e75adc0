import { OpenbarError } from '../errors/openbar-error.ts'
import { readText } from './read-text.ts'

/**
 * Reads a number from sysfs or /proc, decimal or with `0x`.
 *
 * @returns The number, or `undefined` when the file does not exist.
 * @throws {@link OpenbarError} `ERR_SYSCALL` when the file holds something else.
 *
 * @example
 * ```ts
 * readNumber('/sys/bus/pci/devices/0000:00:02.0/vendor') // 0x8086
 * ```
 */
export function readNumber(path: string): number | undefined {
  const text = readText(path)?.trim()
  if (text === undefined) return undefined
  const value = Number(text)
  if (text === '' || !Number.isSafeInteger(value)) {
    throw new OpenbarError('ERR_SYSCALL', {
      message: `${path} holds '${text}', which is not a number.`,
      context: { target: path },
      syscall: 'read',
    })
  }
  return value
}
