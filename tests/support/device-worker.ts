import { Worker } from 'node:worker_threads'
import type { BackendName } from '@openbar/iommu'

/** A worker that drives a device: worker-program.ts, asked and answering by messages. */
export interface DeviceWorker extends AsyncDisposable {
  readonly worker: Worker
  /** Settles when the thread is gone, with what it threw, if that was its end. */
  readonly ended: Promise<unknown>
  ask<Answer>(command: string, argument?: number): Promise<Answer>
}

export function startDeviceWorker(backend: BackendName, address: string, bind: boolean): DeviceWorker {
  const worker = new Worker(new URL('../vfio/worker-program.ts', import.meta.url), {
    workerData: { backend, address, bind },
  })
  let thrown: unknown
  worker.on('error', (error) => {
    thrown = error
  })
  const ended = new Promise((resolve) => worker.on('exit', () => resolve(thrown)))
  return {
    worker,
    ended,
    async ask<Answer>(command: string, argument?: number): Promise<Answer> {
      const answered = Promise.withResolvers<Answer>()
      worker.once('message', answered.resolve)
      worker.postMessage([command, argument])
      const early = ended.then((cause) => {
        throw new Error(`The worker ended before it answered '${command}'.`, { cause })
      })
      return Promise.race([answered.promise, early])
    },
    [Symbol.asyncDispose]: async () => {
      await worker.terminate()
    },
  }
}
