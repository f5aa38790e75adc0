import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from './temporary-directory.ts'

/** What a process of a made-up /proc is like. */
export interface FakeProcess {
  readonly comm?: string
  /** What it runs. Kernel threads run nothing. */
  readonly exe?: string
  /** What its file descriptors refer to, from 0 on. `unreadable` as for a process of another user. */
  readonly fds?: readonly string[] | 'unreadable'
  /** What `fdinfo` says of each file descriptor. */
  readonly fdinfo?: Readonly<Record<number, string>>
}

/** Makes a /proc of the given processes; returns where it stands. */
export function procTree(processes: Readonly<Record<number, FakeProcess>>): string {
  const proc = temporaryDirectory()
  // proc has more than processes in it.
  writeFileSync(join(proc, 'devices'), '')
  mkdirSync(join(proc, '4711x'))
  for (const [pid, { comm, exe, fds = [], fdinfo = {} }] of Object.entries(processes)) {
    const path = join(proc, pid)
    mkdirSync(join(path, 'fdinfo'), { recursive: true })
    if (comm !== undefined) writeFileSync(join(path, 'comm'), `${comm}\n`)
    if (exe !== undefined) symlinkSync(exe, join(path, 'exe'))
    writeFileSync(join(path, 'cmdline'), exe === undefined ? '' : `${exe}\0`)
    for (const [fd, text] of Object.entries(fdinfo)) writeFileSync(join(path, 'fdinfo', fd), text)
    // A link to itself cannot be read by anybody, root included.
    if (fds === 'unreadable') symlinkSync('fd', join(path, 'fd'))
    else {
      mkdirSync(join(path, 'fd'))
      for (const [fd, target] of fds.entries()) symlinkSync(target, join(path, 'fd', String(fd)))
    }
  }
  return proc
}
