import type { Socket } from 'node:net'
import { LabError } from '../lab-error.ts'
import type { Qmp, QmpArguments } from '../qemu/qmp.ts'
import { LineReader } from '../util/line-reader.ts'

/** What a program in the guest sends: a command, or a wish to get events or no more of them. */
interface RelayRequest {
  readonly id: string
  readonly execute?: string
  readonly arguments?: QmpArguments
  readonly events?: boolean
}

/** Serves the machine protocol to programs in the guest, over a serial port: one JSON value per line in either direction. */
export function relayQmp(port: Socket, qmp: Qmp): void {
  const send = (value: unknown) => port.write(`${JSON.stringify(value)}\n`)
  let stopEvents: (() => void) | undefined
  const serve = async ({ id, execute, arguments: args, events }: RelayRequest) => {
    if (events !== undefined) {
      stopEvents?.()
      stopEvents = events ? qmp.onEvent((event) => send(event)) : undefined
      send({ id, return: {} })
      return
    }
    try {
      send({ id, return: await qmp.execute(execute ?? '', args) })
    } catch (error) {
      send({ id, error: error instanceof LabError ? error.message : String(error) })
    }
  }
  const reader = new LineReader((line) => {
    let request: RelayRequest
    try {
      request = JSON.parse(line) as RelayRequest
    } catch {
      // The end of a line whose writer was killed in the middle of it.
      return
    }
    void serve(request)
  })
  port.on('data', (chunk: Buffer) => reader.push(chunk))
  port.on('close', () => stopEvents?.())
}
