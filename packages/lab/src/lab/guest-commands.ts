import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { LineReader } from '../util/line-reader.ts'
import { MarkedStream } from './marked-stream.ts'
import type { RunResult } from './run-options.ts'

/** Where a command's output goes. */
interface Sinks {
  readonly stdout?: Writable
  readonly stderr?: Writable
}

/** Talks to the agent in the guest: one command after the other. */
export class GuestCommands {
  readonly #control: Socket
  readonly #streams: { readonly stdout: Socket; readonly stderr: Socket }
  readonly #share: string
  readonly #ready: Promise<string>
  readonly #exits = new Map<string, (code: number) => void>()
  #count = 0

  constructor(control: Socket, stdout: Socket, stderr: Socket, share: string) {
    this.#control = control
    this.#streams = { stdout, stderr }
    this.#share = share
    let ready: (line: string) => void = () => {}
    this.#ready = new Promise((resolve) => {
      ready = resolve
    })
    const reader = new LineReader((line) => {
      const [verb, id, code] = line.split(' ')
      if (verb === 'ready') ready(line)
      if (verb === 'exit') this.#exits.get(id ?? '')?.(Number(code))
    })
    control.on('data', (chunk: Buffer) => reader.push(chunk))
  }

  /** Resolves when the guest has booted: its kernel's release, and what could not be loaded. */
  async ready(): Promise<{ readonly release: string; readonly problems: string | undefined }> {
    const [, release = '', ...problems] = (await this.#ready).split(' ')
    const text = problems.join(' ')
    return { release, problems: text === 'ok' ? undefined : text.replace(/; $/, '') }
  }

  /** Runs a script to its end; on the serial console when `terminal` is set. */
  async run(script: string, sinks: Sinks, terminal = false): Promise<RunResult> {
    const id = String(++this.#count)
    const marker = `<openbar-lab:${randomBytes(16).toString('hex')}>`
    writeFileSync(join(this.#share, 'commands', id), script)
    const exited = new Promise<number>((resolve) => {
      this.#exits.set(id, resolve)
    })
    const outputs = Promise.all([
      collect(this.#streams.stdout, marker, sinks.stdout),
      collect(this.#streams.stderr, marker, sinks.stderr),
    ])
    this.#control.write(`${terminal ? 'terminal' : 'run'} ${id} ${marker}\n`)
    const [exitCode, [stdout, stderr]] = await Promise.all([exited, outputs])
    this.#exits.delete(id)
    return { exitCode, stdout, stderr }
  }

  powerOff(): void {
    this.#control.write('off\n')
  }
}

/** Reads one command's output from a port, until its marker. */
function collect(port: Socket, marker: string, sink: Writable | undefined): Promise<Buffer> {
  const kept: Buffer[] = []
  return new Promise((resolve) => {
    const onDrain = () => port.resume()
    const stream = new MarkedStream(
      marker,
      (bytes) => {
        if (sink === undefined) kept.push(Buffer.from(bytes))
        // A reader that is slower than the guest slows the guest down.
        else if (!sink.write(bytes)) port.pause()
      },
      () => end(),
    )
    const onData = (chunk: Buffer) => stream.push(chunk)
    const onClose = () => {
      stream.flush()
      end()
    }
    const end = () => {
      port.off('data', onData)
      port.off('close', onClose)
      sink?.off('drain', onDrain)
      port.resume()
      resolve(Buffer.concat(kept))
    }
    sink?.on('drain', onDrain)
    port.on('data', onData)
    port.once('close', onClose)
  })
}
