import { readlinkSync } from 'node:fs'
import { type Holder, listDirectory, readText } from '@openbar/linux'

/**
 * The processes that hold a file open, as far as this process may see them (root sees all).
 *
 * @param path - The file, as `/proc/<pid>/fd` shows it: `/dev/vfio/12`.
 * @see proc(5), `/proc/<pid>/fd`
 *
 * @example
 * ```ts
 * findHolders('/dev/vfio/12') // [{ pid: 4711, command: 'qemu-system-x86' }]
 * ```
 */
export function findHolders(path: string): Holder[] {
  return listDirectory('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => openFiles(pid).includes(path))
    .map((pid) => ({ pid: Number(pid), command: readText(`/proc/${pid}/comm`) ?? '?' }))
}

/** Holders as a message shows them; the empty case says why nobody is named. */
export function formatHolders(holders: readonly Holder[]): string {
  if (holders.length === 0) return 'another process (run as root to see which)'
  return holders.map(({ pid, command }) => `${command} (process ${pid})`).join(', ')
}

function openFiles(pid: string): string[] {
  try {
    return listDirectory(`/proc/${pid}/fd`).flatMap((fd) => linkTarget(`/proc/${pid}/fd/${fd}`))
  } catch {
    // Another user's process: not ours to look into.
    return []
  }
}

function linkTarget(path: string): string[] {
  try {
    return [readlinkSync(path)]
  } catch {
    // Closed since the directory was listed.
    return []
  }
}
