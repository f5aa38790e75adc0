import { spawn } from 'node:child_process'

/** How a program ended and what it said. */
export interface ExecResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface ExecOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called with each whole line of stdout and stderr, as it comes. */
  readonly onLine?: (line: string) => void
  /** Written to the program's stdin. */
  readonly input?: string
}

/**
 * Runs a program to its end. Messages are always in English, so that what is parsed does not depend on the user's
 * language. Rejects only when the program cannot be started.
 */
export function exec(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      let rest = ''
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        output[name] += chunk
        if (options.onLine === undefined) return
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) options.onLine(line)
      })
    }
    // A program that ends before it has read its input is judged by its exit code.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ ...output, code: code ?? (signal === null ? 1 : 128) }))
  })
}
