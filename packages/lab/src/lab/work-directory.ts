import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const prefix = 'openbar-lab-'

// A UNIX socket's path has at most 107 characters.
const longestRoot = 60

/** A lab's own directory on the host: its sockets, and the share that the guest can write to. */
export interface WorkDirectory {
  readonly path: string
  readonly share: string
  socket(name: string): string
  remove(): void
}

/** Makes a lab's directory, and removes those of labs that were killed. */
export function makeWorkDirectory(): WorkDirectory {
  const root = tmpdir().length > longestRoot ? '/tmp' : tmpdir()
  sweep(root)
  const path = mkdtempSync(join(root, `${prefix}${process.pid}-`))
  const share = join(path, 'share')
  for (const part of ['commands', 'out']) mkdirSync(join(share, part), { recursive: true })
  return {
    path,
    share,
    socket: (name) => join(path, `${name}.sock`),
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

function sweep(root: string): void {
  for (const entry of readdirSync(root)) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(entry)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    try {
      // Another user's is another user's; one that is very young may be of a process in another container.
      const { uid, mtimeMs } = statSync(join(root, entry))
      if (uid === process.getuid?.() && Date.now() - mtimeMs > 600_000)
        rmSync(join(root, entry), { recursive: true, force: true })
    } catch {
      // Somebody else was quicker.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
