import { asFd } from '@openbar/linux'
import type { LogSource } from '../faults/kernel-log.ts'

/** A kernel's log in memory, that behaves as `/dev/kmsg` does and can be told to fail. */
export class FakeLog implements LogSource {
  readonly fd = asFd<'file'>(100)
  readonly #records: (string | 'overrun')[] = []
  #sequence = 0
  #onReadable: (() => void) | undefined
  closed = 0
  /** How often watching began. */
  watches = 0
  failure: Error | undefined

  get watched(): boolean {
    return this.#onReadable !== undefined
  }

  get unread(): number {
    return this.#records.length
  }

  /** Writes records of a facility, the kernel's by default, as one event of the loop sees them. */
  write(messages: readonly string[], facility = 0): void {
    for (const message of messages) this.#add(message, facility)
    this.ready()
  }

  /** Writes a record that nobody is told of yet. */
  writeSilently(message: string): void {
    this.#add(message, 0)
  }

  /** Goes round: so many records are gone, and the next read says so. */
  overrun(lost: number): void {
    this.#records.splice(0, this.#records.length, 'overrun')
    this.#sequence += lost
  }

  /** The event loop's turn. */
  ready(): void {
    this.#onReadable?.()
  }

  seekEnd(): void {
    if (this.failure !== undefined) throw this.failure
    this.#records.length = 0
  }

  read(): string | 'overrun' | undefined {
    if (!this.watched) throw new Error('read where it might block')
    if (this.failure !== undefined) throw this.failure
    return this.#records.shift()
  }

  watch(onReadable: () => void): { close(): void } {
    if (this.watched) throw new Error('watched twice')
    this.watches += 1
    this.#onReadable = onReadable
    return {
      close: () => {
        this.#onReadable = undefined
      },
    }
  }

  close(): void {
    if (this.watched) throw new Error('closed while it is watched')
    this.closed += 1
  }

  #add(message: string, facility: number): void {
    this.#records.push(`${facility * 8 + 3},${this.#sequence},${1000 + this.#sequence},-;${message}\n`)
    this.#sequence += 1
  }
}
