import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { LabError } from '../lab-error.ts'

/** Held until released, or until this process ends in whatever way. */
export interface FileLock {
  release(): void
}

/**
 * Waits for an exclusive lock on a file. Node has no flock(2), so a child of util-linux' `flock` holds it, and lets go when
 * its stdin closes: a lock never outlives its holder, not even one that was killed.
 *
 * @param onWait Called once when somebody else holds the lock.
 */
export async function lockFile(path: string, onWait: () => void = () => {}): Promise<FileLock> {
  mkdirSync(dirname(path), { recursive: true })
  const child = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const waiting = setTimeout(onWait, 500)
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve())
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`flock ended with code ${code}`)))
    })
  } catch (cause) {
    throw new LabError('ERR_LAB_MISSING', `No lock could be taken on ${path}`, {
      cause,
      hint: 'Check that util-linux is installed (flock) and that the directory can be written to.',
    })
  } finally {
    clearTimeout(waiting)
  }
  // The holder must not keep this process alive on its own.
  child.unref()
  child.stdout.destroy()
  return { release: () => child.stdin.end() }
}
