import { shellQuote } from '../util/shell-quote.ts'

/** What a command is run with in the guest. */
export interface ScriptOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** The shell script that the guest's agent runs for a command. */
export function commandScript(command: readonly string[], { cwd, env }: ScriptOptions): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${shellQuote([value])}`)
  return [
    ...exports,
    `cd -- ${shellQuote([cwd])} || exit 126`,
    // `exec --` is not known to every shell, and env(1) would read NAME=value as an assignment.
    `exec ${shellQuote(command)}`,
    '',
  ].join('\n')
}
