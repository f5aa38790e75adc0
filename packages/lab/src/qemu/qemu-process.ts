import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { LabError } from '../lab-error.ts'
import { ConsoleTail } from './console-tail.ts'
import type { QemuProgram } from './qemu-program.ts'

/** A running QEMU, whose stdin and stdout are the guest's serial console. */
export class QemuProcess {
  readonly console = new ConsoleTail()
  /** Resolves when the process has ended. Never rejects. */
  readonly ended: Promise<void>
  #running = true
  #messages = ''
  #startError: Error | undefined
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>

  constructor(qemu: QemuProgram, args: readonly string[]) {
    // The kernel itself ends QEMU when this process dies, however it dies. A session of its own keeps a terminal's Ctrl-C
    // away from QEMU: this process decides what it means.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', qemu.path, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child.stdin.on('error', () => {})
    this.#child.stdout.on('data', (chunk: Buffer) => this.console.push(chunk))
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#messages = (this.#messages + chunk.toString()).slice(-8192)
    })
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#running = false
        resolve()
      }
      this.#child.once('close', end)
      this.#child.once('error', (error) => {
        this.#startError = error
        end()
      })
    })
  }

  get running(): boolean {
    return this.#running
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The guest's serial console. */
  get terminal(): { readonly input: Writable; readonly output: Readable } {
    return { input: this.#child.stdin, output: this.#child.stdout }
  }

  kill(): void {
    if (this.#running) this.#child.kill('SIGKILL')
  }

  /** Why a machine that should still be running is not. */
  deathError(doing: string): LabError {
    const { panic } = this.console
    const details = { console: this.console.tail() }
    if (panic !== undefined) {
      return new LabError('ERR_LAB_PANIC', `The guest's kernel panicked while ${doing}: ${panic}`, details)
    }
    if (this.#startError !== undefined) {
      return new LabError('ERR_LAB_DIED', `QEMU could not be started: ${this.#startError.message}`, {
        hint: 'Run: openbar-lab doctor',
      })
    }
    const { exitCode, signalCode } = this.#child
    const how = signalCode === null ? `with code ${exitCode}` : `by ${signalCode}`
    const said = this.#messages.trim()
    return new LabError('ERR_LAB_DIED', `QEMU ended ${how} while ${doing}${said === '' ? '' : `: ${said}`}`, details)
  }
}
