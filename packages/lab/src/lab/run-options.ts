import type { Writable } from 'node:stream'

/** How to run a command in the guest. */
export interface RunOptions {
  /** The directory to run in. Default: this process's, which the guest sees at the same place. */
  readonly cwd?: string
  /** Environment variables beside `PATH`, `HOME`, `LANG` and those that start with `OPENBAR_LAB`. */
  readonly env?: Readonly<Record<string, string>>
  /** How long the command may take, in milliseconds. The machine is killed when it takes longer. Default: no limit. */
  readonly timeoutMs?: number
  /** Where stdout goes as it comes. Default: into the result. */
  readonly stdout?: Writable
  /** Where stderr goes as it comes. Default: into the result. */
  readonly stderr?: Writable
  /** Ends the command, and the machine with it. */
  readonly signal?: AbortSignal
}

/** How a command ended. */
export interface RunResult {
  /** 128 plus the signal's number when a signal ended it, as in a shell. */
  readonly exitCode: number
  /** Empty when it was sent elsewhere. */
  readonly stdout: Buffer
  /** Empty when it was sent elsewhere. */
  readonly stderr: Buffer
}
