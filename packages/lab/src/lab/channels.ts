import { createServer, type Server, type Socket } from 'node:net'
import type { WorkDirectory } from './work-directory.ts'

/** The names of the lab's ports on the guest's virtio-serial device. */
export const portNames = ['control', 'out', 'err', 'qmp-relay'] as const

export type PortName = (typeof portNames)[number]

/** One UNIX socket per port, on which the lab listens and to which QEMU connects as it starts. */
export class Channels {
  readonly paths: Readonly<Record<PortName | 'qmp', string>>
  readonly #servers: Server[] = []
  readonly #connections = new Map<string, Promise<Socket>>()

  private constructor(directory: WorkDirectory) {
    const path = (name: string) => directory.socket(name)
    this.paths = {
      control: path('control'),
      out: path('out'),
      err: path('err'),
      'qmp-relay': path('qmp-relay'),
      qmp: path('qmp'),
    }
  }

  static async listen(directory: WorkDirectory): Promise<Channels> {
    const channels = new Channels(directory)
    await Promise.all(Object.entries(channels.paths).map(([name, path]) => channels.#listen(name, path)))
    return channels
  }

  /** QEMU's connection for a port. */
  connection(name: PortName | 'qmp'): Promise<Socket> {
    return this.#connections.get(name)!
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }

  #listen(name: string, path: string): Promise<void> {
    const server = createServer()
    this.#servers.push(server)
    this.#connections.set(
      name,
      new Promise((resolve) => {
        server.once('connection', (socket) => {
          socket.on('error', () => {})
          resolve(socket)
        })
      }),
    )
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  }
}
