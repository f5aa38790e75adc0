import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { BackendName } from '@openbar/iommu'
import { withRights } from '../support/limited-process.ts'

const program = new URL('victim-program.ts', import.meta.url)

/** How far a victim has come. */
export type Stage = 'ready' | 'open' | 'dma'

/** A process that opens a device and does DMA from when it is told to until it is killed. */
export class Victim implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #stages = new Map<Stage, PromiseWithResolvers<void>>()
  #said: string[] = []

  /** Starts Node and loads the program, which takes more than a second in a guest. */
  constructor(backend: BackendName, address: string, keptBytes: number, limit: number) {
    const command = [process.execPath, program.pathname, backend, address, `${keptBytes}`]
    const [file, ...args] = withRights({ capable: false, limit }, command)
    this.#process = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#exited = once(this.#process, 'exit')
    for (const stage of ['ready', 'open', 'dma'] as const) this.#stages.set(stage, Promise.withResolvers<void>())
    for (const { promise } of this.#stages.values()) promise.catch(() => {})
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      this.#said.push(line)
      this.#stages.get(line as Stage)?.resolve()
    })
    createInterface({ input: this.#process.stderr! }).on('line', (line) => this.#said.push(line))
    void this.#exited.then(() => {
      const ended = new Error(`The program ended by itself, or was killed: ${this.#said.join('\n')}`)
      for (const { reject } of this.#stages.values()) reject(ended)
    })
  }

  /** What it has said so far. */
  get said(): readonly string[] {
    return this.#said
  }

  /** Waits until it has come so far. */
  reached(stage: Stage): Promise<void> {
    return this.#stages.get(stage)!.promise
  }

  /** Has it begin. */
  begin(): void {
    this.#process.stdin!.write('go\n')
  }

  /** Ends it as `kill -9` does, and comes back as soon as the kernel says that it is gone. */
  async kill(): Promise<NodeJS.Signals | null> {
    this.#process.kill('SIGKILL')
    await this.#exited
    return this.#process.signalCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
