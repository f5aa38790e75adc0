import { readText } from '../sysfs/read-text.ts'

/** How much memory this process has pinned and may pin, in bytes. */
export interface LockedMemory {
  /** Locked by mlock and by type1 mappings (VmLck). */
  readonly locked: bigint
  /** Pinned by iommufd mappings (VmPin). */
  readonly pinned: bigint
  /** The soft RLIMIT_MEMLOCK; `undefined` when unlimited. */
  readonly limit: bigint | undefined
}

/**
 * What of RLIMIT_MEMLOCK this process uses.
 *
 * @see proc(5): /proc/self/status (VmLck, VmPin), /proc/self/limits
 *
 * @example
 * ```ts
 * const { locked, limit } = lockedMemory()
 * ```
 */
export function lockedMemory(): LockedMemory {
  return parseLockedMemory(readText('/proc/self/status') ?? '', readText('/proc/self/limits') ?? '')
}

/**
 * Reads the same from the texts of `/proc/<pid>/status` and `/proc/<pid>/limits`.
 *
 * @example
 * ```ts
 * parseLockedMemory('VmLck:\t 8 kB', '').locked // 8192n
 * ```
 */
export function parseLockedMemory(status: string, limits: string): LockedMemory {
  const kilobytes = (name: string) => BigInt(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024n
  const limit = /^Max locked memory\s+(\d+|unlimited)/m.exec(limits)?.[1]
  return {
    locked: kilobytes('VmLck'),
    pinned: kilobytes('VmPin'),
    limit: limit === undefined || limit === 'unlimited' ? undefined : BigInt(limit),
  }
}
