import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** What a process may pin. */
export interface PinningRights {
  /** Whether it keeps CAP_IPC_LOCK, which frees type1 of the limit. Root's other rights it keeps in any case. */
  readonly capable: boolean
  /** RLIMIT_MEMLOCK in bytes; `undefined` leaves it as it is. */
  readonly limit?: number | undefined
}

/** The command that runs another one with these rights. */
export function withRights({ capable, limit }: PinningRights, command: readonly string[]): [string, ...string[]] {
  const limited = limit === undefined ? [] : ['prlimit', `--memlock=${limit}:${limit}`]
  // What root's programs get is bounded by the bounding set.
  const bounded = capable ? [] : ['setpriv', '--bounding-set', '-ipc_lock', '--inh-caps', '-ipc_lock']
  const [file = '', ...rest] = [...limited, ...bounded, ...command]
  return [file, ...rest]
}

/** Runs a TypeScript program of this repository with these rights, and parses the JSON that it prints. */
export async function runProgram<Result>(
  program: URL,
  rights: PinningRights,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<Result> {
  const [file, ...rest] = withRights(rights, [process.execPath, ...flags, program.pathname, ...args])
  const { stdout } = await promisify(execFile)(file, rest)
  return JSON.parse(stdout) as Result
}
