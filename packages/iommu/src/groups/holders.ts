import type { Holder } from '@openbar/linux'
import { scanHolders } from './scan-holders.ts'

/**
 * The processes that hold a file open, as far as this process may see them (root sees all).
 *
 * Each call goes over all of /proc: to ask for several files, call {@link scanHolders} once.
 *
 * @param path - The file, as `/proc/<pid>/fd` shows it: `/dev/vfio/12`.
 * @see proc(5), `/proc/<pid>/fd`
 *
 * @example
 * ```ts
 * findHolders('/dev/vfio/12') // [{ pid: 4711, command: 'qemu-system-x86_64' }]
 * ```
 */
export function findHolders(path: string): readonly Holder[] {
  return scanHolders('/proc', (candidate) => candidate === path).files.get(path) ?? []
}

/** Holders as a message lists them. */
export function formatHolders(holders: readonly Holder[]): string {
  return holders.map(({ pid, command }) => `${command} (process ${pid})`).join(', ')
}
