import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** A Node.js process that runs a piece of code until it is told to end. */
export interface Child extends AsyncDisposable {
  readonly pid: number
  /** The first line that it printed. */
  readonly line: string
}

/**
 * Runs a module in a process of its own, as another program on the machine would run, and waits for its first line.
 *
 * @param source - Prints one line when it has done what it is for. It lives until it is disposed.
 * @param uid - The user that it runs as; root, by default.
 */
export async function startChild(source: string, uid = 0): Promise<Child> {
  const args = ['--input-type=module', '--eval', `${source}\nprocess.stdin.resume()`]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], uid })
  const ended = once(child, 'exit')
  const end = async () => {
    child.stdin.end()
    child.kill('SIGKILL')
    await ended
  }
  let line = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    line += text
  })
  const printed = async () => {
    while (!line.includes('\n')) await once(child.stdout, 'data')
  }
  const outcome = await Promise.race([printed().then(() => 'printed'), ended.then(() => 'ended')])
  if (outcome === 'ended' || child.pid === undefined) throw new Error(`The child ended early, having said: ${line}`)
  return { pid: child.pid, line: line.trim(), [Symbol.asyncDispose]: end }
}
