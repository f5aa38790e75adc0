import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/**
 * The error numbers of Linux by name, positive.
 *
 * @example
 * ```ts
 * if (error.errno === Errno.ENOTTY) console.log('this kernel does not know the request')
 * ```
 */
export const Errno = constants.errno

/**
 * The name of an error number, such as `EBUSY`; `errno 999` for one that has none.
 *
 * @example
 * ```ts
 * errnoName(16) // 'EBUSY'
 * ```
 */
export function errnoName(errno: number): string {
  // Node's map has only what libuv knows; ESTALE and some others are missing there.
  const name = getSystemErrorMap().get(-errno)?.[0] ?? Object.entries(Errno).find(([, value]) => value === errno)?.[0]
  return name ?? `errno ${errno}`
}

/**
 * What an error number means, in the system's words.
 *
 * @example
 * ```ts
 * errnoText(16) // 'resource busy or locked'
 * ```
 */
export function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error'
}

/**
 * The positive error number of an error that Node's own file functions threw, `undefined` for any other value.
 *
 * @example
 * ```ts
 * try { readFileSync('/nowhere') } catch (error) { errnoOf(error) } // 2, ENOENT
 * ```
 */
export function errnoOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return undefined
  return Math.abs(error.errno)
}
