import { readlinkSync } from 'node:fs'
import { listDirectory, readText } from '@openbar/linux'

/** A file that a process has open. */
export interface OpenFile {
  /** Number of the file descriptor. */
  readonly fd: string
  /** What it refers to, as the kernel shows it. */
  readonly target: string
}

/** The ids of all processes that proc shows, ascending. */
export function processIds(proc: string): number[] {
  return listDirectory(proc)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
}

/**
 * What a process has open: nothing when it has ended.
 *
 * @returns `undefined` when this process may not look into it.
 */
export function openFiles(proc: string, pid: number): OpenFile[] | undefined {
  const path = `${proc}/${pid}/fd`
  try {
    return listDirectory(path).flatMap((fd) => {
      const target = linkTarget(`${path}/${fd}`)
      return target === undefined ? [] : [{ fd, target }]
    })
  } catch {
    return isKernelThread(proc, pid) ? [] : undefined
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch (error) {
    // Closed, or the process ended, since the directory was listed.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined
    throw error
  }
}

/** Kernel threads run no program and open no files; only root may see that in their directory of files. */
function isKernelThread(proc: string, pid: number): boolean {
  try {
    return (readText(`${proc}/${pid}/cmdline`) ?? '') === ''
  } catch {
    return false
  }
}
