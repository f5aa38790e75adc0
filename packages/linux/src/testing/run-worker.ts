import { Worker } from 'node:worker_threads'

/** A worker that runs a piece of code of this package's, until it ends or is terminated. */
export interface RunningWorker extends AsyncDisposable {
  readonly worker: Worker
  /** Settles when the thread is gone, with what it threw, if that was its end. */
  readonly ended: Promise<unknown>
  /** The next message that it posts; an error when it has ended. */
  next(): Promise<unknown>
}

/** Runs a module in a worker. `linux` is the package's index there, and `post` sends a message. */
export function runWorker(source: string, workerData?: unknown): RunningWorker {
  const index = new URL('../index.ts', import.meta.url).href
  const module = `
    import { parentPort, workerData } from 'node:worker_threads'
    import * as linux from ${JSON.stringify(index)}
    const post = (message) => parentPort.postMessage(message)
    ${source}`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(module)}`), { workerData })
  const messages = new ReadableStream<unknown>({
    start(controller) {
      worker.on('message', (message) => controller.enqueue(message))
      worker.on('exit', () => controller.close())
    },
  }).getReader()
  let thrown: unknown
  worker.on('error', (error) => {
    thrown = error
  })
  return {
    worker,
    ended: new Promise((resolve) => worker.on('exit', () => resolve(thrown))),
    next: async () => {
      const { done, value } = await messages.read()
      if (done) throw new Error('The worker has ended.', { cause: thrown })
      return value
    },
    [Symbol.asyncDispose]: async () => {
      await worker.terminate()
    },
  }
}
