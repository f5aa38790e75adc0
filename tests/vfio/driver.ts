import type { ChildProcess } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import type { DriverProcess } from '@openbar/vfio'

export const PROGRAM = new URL('driver-program.ts', import.meta.url).pathname

/** A driver-program.ts that is asked and answers by lines. */
export class Conversation {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #reader: Interface

  constructor(driver: ChildProcess | DriverProcess) {
    this.#process = 'released' in driver ? driver.process : driver
    this.#reader = createInterface({ input: this.#process.stdout! })
    this.#lines = this.#reader[Symbol.asyncIterator]()
  }

  /** The next line that it says; an error when it has ended. */
  async next(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('The program has ended.')
    return JSON.parse(value) as Record<string, unknown>
  }

  async ask(line: string): Promise<Record<string, unknown>> {
    this.#process.stdin!.write(`${line}\n`)
    return this.next()
  }
}
