import { readText } from '../sysfs/read-text.ts'

/**
 * How many file descriptors this process may have open (the soft RLIMIT_NOFILE); `undefined` when unlimited or not known. Node.js
 * raises it to the hard limit when it starts.
 *
 * @see proc(5): /proc/self/limits
 *
 * @example
 * ```ts
 * openFilesLimit() // 1048576
 * ```
 */
export function openFilesLimit(): number | undefined {
  const limit = /^Max open files\s+(\d+)/m.exec(readText('/proc/self/limits') ?? '')?.[1]
  return limit === undefined ? undefined : Number(limit)
}
