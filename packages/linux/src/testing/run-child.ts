import { spawnSync } from 'node:child_process'

/** How a child process ended. */
export interface ChildResult {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a module of this package's source folder's own kind in a process of its own, for what may crash or hang. */
export function runChild(source: string, flags: readonly string[] = []): ChildResult {
  const args = [...flags, '--input-type=module', '--eval', source]
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })
  return { status, signal, stdout, stderr }
}
